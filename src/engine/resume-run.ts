import type { Asked } from '#domain/bot.ts';
import type { UserId } from '#domain/accounts.ts';
import { OpsError } from '#domain/errors.ts';
import type { Line } from '#domain/messages.ts';
import { stronger } from '#domain/policy.ts';
import { type Run, runName, type Step } from '#domain/runs.ts';
import { askFirst } from './asking.ts';
import { type House, permit } from './house.ts';
import { addressOf, runAudit } from './run-end.ts';
import { shapeOf } from './shape.ts';

/** Throws `notFound`. */
export function findRun(house: House, id: number): Run {
  const run = house.ledger.run(id);
  if (!run) throw new OpsError('notFound', `There is no run ${runName(id)}.`, { hint: '!runs lists them.' });
  return run;
}

/**
 * Asks whether an interrupted run shall go on. Whoever asks is its actor from then on; a step that was cut off and must
 * not be repeated unseen is named in the question, and the yes lets it be done.
 */
export function resumeRun(house: House, id: number, asked: Asked): Run {
  const { ledger, catalogue } = house;
  const run = findRun(house, id);
  // Met again after a crash: it was asked.
  if (run.state === 'waiting' && run.begunAt !== undefined && run.actor === asked.user) return run;
  if (run.state !== 'interrupted') {
    throw new OpsError('conflict', `Run ${runName(id)} is ${run.state}; only an interrupted one can go on.`);
  }
  const command = catalogue.command(run.command);
  if (command?.kind !== 'change' || shapeOf(command) !== run.shape) {
    throw new OpsError('conflict', `Another version of the bot began ${runName(id)}, so it cannot go on.`, {
      hint: `!run abandon ${runName(id)} closes it; then type the command again.`,
    });
  }
  const { user: actor, proof, key } = asked;
  const rule = catalogue.ruleOf(run.command, command);
  const decision = permit(house, { site: run.site, actor, proof, rule, touches: run.touches });
  if (!decision.allow) throw new OpsError('denied', decision.why, decision.hint ? { hint: decision.hint } : {});
  const steps = ledger.steps(id);
  const event = proof === 'shell' || proof === 'internal' ? undefined : key;
  const room = asked.room ?? house.ports(run.site).bot.opsRoom;
  const next = { ...run, actor, proof, endedAt: undefined, reason: undefined, message: undefined };
  const going: Run = { ...next, where: { room, thread: asked.thread, event } };
  askFirst(house, {
    run: going,
    command,
    described: {
      title: `Go on with ${run.command} (${runName(id)}), which was interrupted?`,
      blocks: [{ kind: 'list', items: told(command.steps, steps, run.actor) }],
    },
    need: stronger(decision.need, 'caller') as 'caller' | 'two-person',
    approver: decision.approver,
    change: {
      at: house.clock.now(),
      steps: steps.filter((step) => isUnsure(command.steps, step)).map((step) => ({ ...step, state: 'unknown' })),
    },
    address: addressOf(house, going),
    audit: (outcome, detail) => runAudit(house, going, outcome, { ...detail, resumed: true }),
  });
  return findRun(house, id);
}

type Declared = Record<string, { title: string; again: string }>;
const isUnsure = (declared: Declared, { key, state }: Step): boolean =>
  declared[key]?.again === 'never' && (state === 'begun' || state === 'failed');

function told(declared: Declared, steps: readonly Step[], actor: UserId): Line[] {
  const by = (state: string): string[] =>
    steps.flatMap((step) => (step.state === state ? [declared[step.key]?.title ?? step.key] : []));
  const unsure = steps.filter((step) => isUnsure(declared, step)).map(({ key }) => declared[key]?.title ?? key);
  const left = Object.entries(declared).filter(
    ([key]) => !steps.some((step) => step.key === key && step.state !== 'begun'),
  );
  return [
    `asked for by ${actor}`,
    ...(by('done').length > 0 ? [`done: ${by('done').join(', ')}`] : []),
    ...unsure.map((title) => `perhaps done already, and done again by a yes: ${title}`),
    `left: ${
      left
        .map(([, { title }]) => title)
        .filter((title) => !unsure.includes(title))
        .join(', ') || 'nothing'
    }`,
  ];
}
