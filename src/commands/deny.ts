import { runName } from '#domain/runs.ts';
import { runTitle } from '#domain/touched.ts';
import { Word, z } from '#engine/args.ts';
import { defineQuery } from '#engine/command.ts';
import { answerQuestion, whichQuestion } from '#procedures/answer-question.ts';

export default defineQuery({
  summary: 'Say no to an open question.',
  examples: ['7f3a', ''],
  args: z.strictObject({ code: Word.optional() }),
  positional: ['code'],
  role: 'viewer',
  // Who may answer is the question's matter; without a role nobody has an answer to give.
  needs: ['approvals'],
  answer: ({ code }, { approvals }, caller) => answerQuestion(code, approvals, caller, 'deny'),
  view: (answered) =>
    'open' in answered
      ? whichQuestion(answered.open, 'deny')
      : {
          title: [
            `${answered.by} said no to ${runTitle(answered.run)} (${runName(answered.run.id)}); nothing was done.`,
          ],
        },
});
