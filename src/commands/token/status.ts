import { ago, formatDuration } from '#domain/duration.ts';
import { none } from '#engine/args.ts';
import { defineQuery } from '#engine/command.ts';

// The guide: quarterly.
const rotateAfterMs = 90 * 86_400_000;

export default defineQuery({
  summary: 'Show the bot’s credentials: whose they are, how old, when to rotate.',
  examples: [''],
  args: none,
  role: 'viewer',
  needs: ['tokens'],
  answer: async (_args, { tokens, clock }) => ({ list: await tokens.status(), now: clock.now() }),
  view: ({ list, now }) => {
    const dead = list.filter((token) => !token.works);
    const due = list.filter((token) => token.issuedAt !== undefined && now - token.issuedAt > rotateAfterMs);
    const worst =
      dead.length > 0 ? `${dead.length} not working` : due.length > 0 ? `${due.length} older than 90 d` : 'all work';
    return {
      title: `Credentials: ${worst}.`,
      verdict: dead.length > 0 ? 'critical' : due.length > 0 ? 'warning' : 'ok',
      blocks: [
        {
          kind: 'table',
          head: ['which', 'works', 'whose', 'made', 'rotate'],
          rows: list.map((token) => {
            const left = token.issuedAt === undefined ? undefined : token.issuedAt + rotateAfterMs - now;
            return [
              token.name,
              token.works ? 'yes' : `no${token.note ? `: ${token.note}` : ''}`,
              token.owner ?? 'unknown',
              token.issuedAt === undefined ? (token.note ?? 'the homeserver does not tell') : ago(token.issuedAt, now),
              left === undefined ? 'unknown' : left <= 0 ? 'overdue' : `in ${formatDuration(left)}`,
            ];
          }),
        },
      ],
    };
  },
});
