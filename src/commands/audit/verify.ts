import { counted } from '#domain/counted.ts';
import { Flag, z } from '#engine/args.ts';
import { defineQuery } from '#engine/command.ts';

export default defineQuery({
  summary: 'Hold the record of what was done against its signed seals.',
  examples: ['', '--all'],
  args: z.strictObject({ all: Flag.describe('walk the whole record, not only what came since the last look') }),
  role: 'admin',
  needs: ['audit'],
  answer: ({ all }, { audit }) => (all ? audit.lookWhole() : audit.look()),
  view({ verdict, since, fingerprint }, _args, { bot }) {
    if (!verdict.ok) {
      const where = verdict.seq > 0 ? `entry ${verdict.seq}: ` : '';
      return {
        title: `The record was changed: ${where}${verdict.why}.`,
        verdict: 'critical',
        blocks: [
          {
            kind: 'text',
            lines: ['Compare with the seals in this room, which nobody can change, and with an earlier export.'],
          },
        ],
        offers: [{ text: 'Keep it as it is now', command: 'audit export' }],
      };
    }
    const open = verdict.rows - verdict.sealedTo;
    const fresh = verdict.rows > since;
    return {
      title:
        since === 0
          ? `${counted(verdict.rows, 'entry', 'entries')}, none changed.`
          : fresh
            ? `Entries ${since + 1} to ${verdict.rows}: none changed.`
            : `${counted(verdict.rows, 'entry', 'entries')}, none new since the last look.`,
      verdict: 'ok',
      blocks: [
        {
          kind: 'list',
          items: [
            ['head ', { code: verdict.head }],
            `signed up to ${verdict.sealedTo}, by the key ${fingerprint}${open > 0 ? `; the newest ${open} within 10 min` : ''}`,
            ...(verdict.forgotten > 0 ? [`${verdict.forgotten} without detail (erased)`] : []),
            ...(since > 0
              ? [
                  `${fresh ? 'the ones before were whole at an earlier look' : 'all were whole then'}; ${bot.prefix}audit verify --all walks all`,
                ]
              : []),
          ],
        },
      ],
    };
  },
});
