import { counted } from '#domain/counted.ts';
import { ago } from '#domain/duration.ts';
import { Count, Flag, Words, z } from '#engine/args.ts';
import { defineQuery } from '#engine/command.ts';

const pageSize = 25;

export default defineQuery({
  summary: 'List accounts by a part of their name or display name.',
  examples: ['', 'mal', '--locked', '--admins', '--page 2'],
  args: z.strictObject({
    text: Words.optional(),
    locked: Flag.describe('only locked ones'),
    admins: Flag.describe('only server admins'),
    deactivated: Flag.describe('closed ones too'),
    page: Count.default(1),
  }),
  positional: ['text'],
  role: 'viewer',
  needs: ['accounts'],
  async answer({ text, locked, admins, deactivated, page }, { accounts, clock }) {
    const found = await accounts.list({
      from: (page - 1) * pageSize,
      limit: pageSize,
      ...(text ? { text } : {}),
      ...(locked ? { locked } : {}),
      ...(admins ? { admins } : {}),
      ...(deactivated ? { deactivated } : {}),
    });
    return { ...found, page, now: clock.now() };
  },
  view({ accounts, total, next, page, now }, args) {
    if (accounts.length === 0)
      return { title: page > 1 ? `There is no page ${page}: ${total} accounts in all.` : 'No account matches.' };
    const from = (page - 1) * pageSize + 1;
    return {
      title: `${counted(total, 'account')}${total > accounts.length ? `, ${from} to ${from + accounts.length - 1}` : ''}:`,
      blocks: [
        {
          kind: 'table',
          head: ['account', 'name', 'state', 'seen'],
          rows: accounts.map((account) => [
            [{ code: account.user }],
            account.displayName ?? '',
            (['admin', 'locked', 'deactivated'] as const).filter((flag) => account[flag]).join(', '),
            account.lastSeenAt === undefined ? 'never' : ago(account.lastSeenAt, now),
          ]),
        },
      ],
      offers:
        next === undefined
          ? []
          : [{ text: 'More', command: `users ${args.text ?? ''} --page ${page + 1}`.replaceAll('  ', ' ') }],
    };
  },
});
