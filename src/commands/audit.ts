import { counted } from '#domain/counted.ts';
import { type Act, actsOf, votersOf } from '#domain/audit-log.ts';
import type { Line } from '#domain/messages.ts';
import { formatMoment } from '#domain/moment.ts';
import { type Run, runName } from '#domain/runs.ts';
import { targetsOf } from '#domain/touched.ts';
import { Count, User, Word, z } from '#engine/args.ts';
import { defineQuery } from '#engine/command.ts';

// An act has three rows or four: asked, answered, begun, ended.
const rowsOfAct = 5;

export default defineQuery({
  summary: 'Show what was done, on whom and by whom, and whether the record is whole.',
  examples: ['', '--by @alice:example.org', '--act disable --limit 50'],
  args: z.strictObject({ by: User.optional(), act: Word.optional(), limit: Count.default(20) }),
  role: 'admin',
  needs: ['audit', 'runs'],
  answer({ by, act, limit }, { audit, runs }) {
    const rows = audit.find({ limit: limit * rowsOfAct, ...(by ? { actor: by } : {}), ...(act ? { act } : {}) });
    const acts = actsOf(rows, limit).map((one) => ({
      ...one,
      run: one.newest.run === undefined ? undefined : runs.find(one.newest.run)?.run,
    }));
    return { acts, look: audit.look() };
  },
  view({ acts, look: { verdict, since } }, _args, { bot }) {
    const fresh = verdict.ok ? verdict.rows - since : 0;
    const whole =
      since === 0
        ? 'none changed'
        : fresh > 0
          ? `the newest ${fresh} looked at, none changed`
          : 'none new since the last look';
    return {
      title: verdict.ok
        ? `${counted(verdict.rows, 'entry', 'entries')}, ${whole}, ${verdict.sealedTo > 0 ? `signed up to ${verdict.sealedTo}` : 'not signed yet (every 10 min)'}.`
        : `The record was changed: entry ${verdict.seq}: ${verdict.why}.`,
      verdict: verdict.ok ? 'ok' : 'critical',
      blocks:
        acts.length === 0
          ? []
          : [
              {
                kind: 'table',
                head: ['nr', 'when', 'who', 'what', 'target', 'outcome', 'run'],
                rows: acts.map((one) => rowOf(one, bot.timezone)),
              },
            ],
      ...(verdict.ok ? {} : { offers: [{ text: 'All of it', command: 'audit verify --all' }] }),
    };
  },
});

function rowOf(act: Act & { run: Run | undefined }, timezone: string): Line[] {
  const { newest, rows, run } = act;
  const asker = rows.at(-1) ?? newest;
  const voters = votersOf(act);
  const who = voters.length > 0 ? `${run?.actor ?? asker.actor} (with ${voters.join(', ')})` : asker.actor;
  return [
    String(newest.seq),
    formatMoment(newest.at, timezone),
    who,
    newest.act,
    run ? targetsOf(run).join(', ') : targetOf(newest.detail),
    newest.outcome + whyOf(newest.detail),
    newest.run === undefined ? '' : runName(newest.run),
  ];
}

/** Without a run: the alerts, or the line that was refused. */
function targetOf(detail: unknown): Line {
  const incidents = fieldOf(detail, 'incidents');
  if (Array.isArray(incidents)) return incidents.map(String).join(', ');
  const typed = fieldOf(fieldOf(detail, 'detail'), 'what');
  return typeof typed === 'string' ? [{ code: typed }] : '';
}

/** Why it was refused, as the door writes it down. */
function whyOf(detail: unknown): string {
  const inner = fieldOf(detail, 'detail') ?? detail;
  const why = fieldOf(inner, 'why') ?? fieldOf(inner, 'error');
  return typeof why === 'string' ? `: ${why}` : '';
}

const fieldOf = (value: unknown, name: string): unknown =>
  value !== null && typeof value === 'object' ? (value as { [key: string]: unknown })[name] : undefined;
