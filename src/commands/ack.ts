import { namesOf } from '#domain/alert-text.ts';
import type { UserId } from '#domain/accounts.ts';
import { formatDuration, parseDuration } from '#domain/duration.ts';
import { OpsError } from '#domain/errors.ts';
import { parseIncidentName } from '#domain/incidents.ts';
import { formatMoment } from '#domain/moment.ts';
import { argMeta, z } from '#engine/args.ts';
import { defineChange } from '#engine/command.ts';

const mostMs = 7 * 86_400_000;
const isDuration = (word: string): boolean => /^(\d+(ms|s|m|h|d|w))+$/i.test(word);

const What = z.string().max(500).register(argMeta, { kind: 'words', label: 'id|all [2h]' });

/** `a17`, `a17 a18 2h`, `all`, `2h` (in an alert's thread). */
function read(text: string): { ids: number[] | 'all' | undefined; forMs: number | undefined } {
  const words = text.split(/[\s,]+/).filter((word) => word !== '');
  const time = isDuration(words.at(-1) ?? '') ? parseDuration(words.pop() ?? '') : undefined;
  if (time !== undefined && (time < 60_000 || time > mostMs)) {
    throw new OpsError('invalid', 'An acknowledgement lasts from 1 minute to 7 days.', {
      hint: 'Write 30m, 2h or 1d.',
    });
  }
  if (words.length === 1 && words[0]?.toLowerCase() === 'all') return { ids: 'all', forMs: time };
  return { ids: words.length === 0 ? undefined : [...new Set(words.map(parseIncidentName))], forMs: time };
}

export default defineChange({
  summary: 'Says that somebody is on it: stops the paging until the time is over.',
  examples: ['a17', 'a17 2h', 'all', ''],
  args: z.strictObject({ what: What.optional() }),
  positional: ['what'],
  role: 'operator',
  needs: ['incidents'],
  runsPaused: true,
  confirm: 'none',
  undo: 'none',
  plan: z.strictObject({
    ids: z.union([z.array(z.number()), z.literal('all')]),
    forMs: z.number(),
    by: z.string(),
    thread: z.string().optional(),
  }),
  afterCrash: 'resume',
  steps: { ack: { title: 'acknowledge', again: 'safe' } },
  prepare(args, ports, caller) {
    const { ids, forMs = ports.incidents.ackForMs } = read(args.what ?? '');
    const here = caller.thread === undefined ? [] : ports.incidents.byEvent(caller.thread);
    const meant = ids ?? here.filter((incident) => incident.state !== 'closed').map((incident) => incident.id);
    if (meant.length === 0) {
      const over = here.length > 0;
      throw new OpsError('invalid', over ? 'All of it is resolved already.' : 'Which alert?', {
        hint: over ? '!alerts shows what is open.' : '!alerts lists them; in the thread of an alert no id is needed.',
      });
    }
    const thread = caller.thread === undefined ? {} : { thread: caller.thread };
    return { plan: { ids: meant, forMs, by: caller.user, ...thread }, facts: undefined, touches: {} };
  },
  describe: (plan) => ({
    title: `Acknowledge ${plan.ids === 'all' ? 'all open alerts' : plan.ids.map((id) => `a${id}`).join(', ')} for ${formatDuration(plan.forMs)}.`,
  }),
  async apply(plan, ports, run) {
    const until = formatMoment(ports.clock.now() + plan.forMs, ports.bot.timezone, ports.clock.now());
    const named = await run.step('ack', async () => {
      const changed = ports.incidents.ack(plan.ids, plan.by as UserId, plan.forMs, plan.thread);
      return { count: changed.length, names: namesOf(changed) };
    });
    if (named.count === 0) return { title: 'Nothing is waiting for an acknowledgement.', verdict: 'ok' };
    return { title: `👍 ${named.names}: yours until ${until}. Not resolved by then, it pages again.`, verdict: 'none' };
  },
});
