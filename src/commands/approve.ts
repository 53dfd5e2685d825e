import { runName } from '#domain/runs.ts';
import { runTitle } from '#domain/touched.ts';
import { Word, z } from '#engine/args.ts';
import { defineQuery } from '#engine/command.ts';

export default defineQuery({
  summary: 'Say yes to an open question.',
  examples: ['7f3a'],
  args: z.strictObject({ code: Word }),
  positional: ['code'],
  role: 'viewer',
  // Who may answer is the question's matter; without a role nobody has an answer to give.
  needs: ['approvals'],
  answer: async ({ code }, { approvals }, { user, proof }) => ({
    run: await approvals.vote(code, user, 'approve', proof),
    user,
  }),
  view: ({ run, user }) => ({ title: [`${user} said yes to ${runTitle(run)} (${runName(run.id)}).`] }),
});
