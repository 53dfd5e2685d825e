import { formatMoment } from '#domain/moment.ts';
import { runName } from '#domain/runs.ts';
import { Count, User, Word, z } from '#engine/args.ts';
import { defineQuery } from '#engine/command.ts';

export default defineQuery({
  summary: 'Show what was done and by whom, and whether the record is whole.',
  examples: ['', '--by @alice:example.org', '--act disable --limit 50'],
  args: z.strictObject({ by: User.optional(), act: Word.optional(), limit: Count.default(20) }),
  role: 'admin',
  needs: ['audit'],
  answer: ({ by, act, limit }, { audit }) => ({
    rows: audit.find({ limit, ...(by ? { actor: by } : {}), ...(act ? { act } : {}) }),
    verdict: audit.verify(),
  }),
  view: ({ rows, verdict }, _args, { bot }) => ({
    title: verdict.ok
      ? `${verdict.rows} entries, none changed (head ${verdict.head.slice(0, 12)}).`
      : `The record was changed: entry ${verdict.seq}: ${verdict.why}.`,
    verdict: verdict.ok ? 'ok' : 'critical',
    blocks:
      rows.length === 0
        ? []
        : [
            {
              kind: 'table',
              head: ['nr', 'when', 'who', 'what', 'outcome', 'run'],
              rows: rows.map((row) => [
                String(row.seq),
                formatMoment(row.at, bot.timezone),
                row.actor,
                row.act,
                row.outcome,
                row.run === undefined ? '' : runName(row.run),
              ]),
            },
          ],
  }),
});
