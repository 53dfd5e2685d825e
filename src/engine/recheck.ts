import { hashOf } from '#domain/canonical.ts';
import { OpsError } from '#domain/errors.ts';
import { roleAtLeast } from '#domain/operators.ts';
import { stronger } from '#domain/policy.ts';
import type { Prompt } from '#domain/prompts.ts';
import { locksOf, type Run } from '#domain/runs.ts';
import type { ChangeCommand, Prepared } from './command.ts';
import { type House, permit, portsFor, roleOf } from './house.ts';
import { checkArgs, parseContext } from './parse.ts';
import { shapeOf } from './shape.ts';
import { inTime } from './sign-of-life.ts';

const timeoutMs = 60_000;
/** A yes is for now: of one that the bot could not follow this long after the question's end nobody thinks any more. */
const staleMs = 10 * 60_000;

/** After the yes: is all as it was when it was asked? Throws `conflict` or `denied` when not. */
export async function recheck(
  house: House,
  { run, prompt, command }: { run: Run; prompt: Prompt; command: ChangeCommand | undefined },
): Promise<void> {
  if (!command || shapeOf(command) !== run.shape) {
    throw new OpsError('conflict', 'The bot was upgraded since this was asked; type the command again.');
  }
  if (run.begunAt === undefined && house.clock.now() > prompt.expiresAt + staleMs) {
    throw new OpsError('conflict', 'The yes came, but the bot was stopped before it could begin. Nothing was done.', {
      hint: 'Type the command again, if it is still meant.',
    });
  }
  // What goes on after a crash has moved the world by its own steps: then only who may is asked again.
  const again = run.begunAt === undefined ? await prepareAgain(house, run, command) : undefined;
  const rule = house.catalogue.ruleOf(run.command, command);
  const { site, actor, proof, breakGlass } = run;
  const decision = permit(house, { site, actor, proof, rule, touches: again?.touches ?? run.touches, breakGlass });
  if (!decision.allow) throw new OpsError('denied', decision.why);
  if (
    stronger(prompt.need, decision.need) !== prompt.need ||
    (decision.approver && !roleAtLeast(prompt.role, decision.approver))
  ) {
    throw new OpsError('conflict', 'This needs a second person now, so nothing was done.', {
      hint: 'Type the command again: the question then goes to somebody else.',
    });
  }
  if (
    hashOf([run.command, run.plan]) !== prompt.planHash ||
    (again && hashOf([run.command, command.plan.parse(again.plan)]) !== prompt.planHash) ||
    (again && hashOf(locksOf(again.touches).sort()) !== hashOf(locksOf(run.touches).sort()))
  ) {
    throw new OpsError('conflict', 'Things changed since the question was asked, so nothing was done.', {
      hint: 'Type the command again to see how it stands now.',
    });
  }
}

async function prepareAgain(house: House, run: Run, command: ChangeCommand): Promise<Prepared<unknown, unknown>> {
  const ports = house.ports(run.site);
  const context = parseContext(ports.bot);
  const typed = { name: run.command, command, args: run.args, dryRun: false };
  const caller = {
    user: run.actor,
    role: roleOf(house, run.site, run.actor, run.proof),
    proof: run.proof,
    room: run.where?.room,
    thread: run.where?.thread,
    at: run.madeAt,
    key: run.key,
    signal: AbortSignal.timeout(timeoutMs),
  };
  const args = checkArgs(typed, house.catalogue, context);
  return inTime(house, Promise.resolve(command.prepare(args, portsFor(command, ports), caller)));
}
