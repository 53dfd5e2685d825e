import { none } from '#engine/args.ts';
import { defineQuery } from '#engine/command.ts';

export default defineQuery({
  summary: 'Show your role.',
  examples: [''],
  args: none,
  needs: ['operators'],
  answer: (_args, { operators }, { user, role }) => ({
    user,
    role,
    owners: operators.list().flatMap((person) => (person.role === 'owner' ? [person.user] : [])),
  }),
  view: ({ user, role, owners }, _args, { bot }) => {
    if (role !== undefined) return { title: ['You are ', { code: user }, ', ', { bold: role }, '.'] };
    return {
      title: ['You are ', { code: user }, ' and have no role.'],
      blocks: [
        {
          kind: 'text',
          lines: [
            [
              `${owners.join(' or ')} can give you one by typing `,
              { code: `${bot.prefix}people add ${user} operator` },
            ],
          ],
        },
      ],
    };
  },
});
