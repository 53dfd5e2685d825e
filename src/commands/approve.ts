import { runName } from '#domain/runs.ts';
import { Word, z } from '#engine/args.ts';
import { defineQuery } from '#engine/command.ts';

export default defineQuery({
  summary: 'Say yes to an open question.',
  examples: ['7f3a'],
  args: z.strictObject({ code: Word }),
  positional: ['code'],
  needs: ['approvals'],
  answer: async ({ code }, { approvals }, { user }) => ({ run: await approvals.vote(code, user, 'approve'), user }),
  view: ({ run, user }) => ({ title: [`${user} said yes to ${run.command} (${runName(run.id)}).`] }),
});
