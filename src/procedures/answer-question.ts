import type { Approvals, OpenQuestion } from '#domain/bot.ts';
import type { Reply } from '#domain/messages.ts';
import { type Run, runName } from '#domain/runs.ts';
import { runTitle } from '#domain/touched.ts';
import type { Caller } from '#engine/command.ts';

export type Answered = { run: Run; by: string } | { open: OpenQuestion[] };

/** A code as it was given, without what people and phones put around it: `bc8d.`, "`bc8d`". */
const codeIn = (text: string): string => text.trim().replaceAll(/^[^0-9a-z]+|[^0-9a-z]+$/gi, '');

/** Answers a question; without a code nothing is answered, and what this person could answer is shown. */
export async function answerQuestion(
  code: string | undefined,
  approvals: Approvals,
  { user, proof, key }: Caller,
  verdict: 'approve' | 'deny',
): Promise<Answered> {
  const given = code === undefined ? '' : codeIn(code);
  if (given === '') return { open: approvals.answerable(user, proof) };
  return { run: await approvals.vote(given, user, verdict, proof, key), by: user };
}

/** Which question could be meant, with the line that answers it. */
export function whichQuestion(open: readonly OpenQuestion[], verdict: 'approve' | 'deny'): Reply {
  if (open.length === 0) return { title: 'No question waits for an answer of yours.' };
  return {
    title:
      open.length === 1
        ? 'One question waits for you. Nothing is answered yet.'
        : 'Which one? Nothing is answered yet.',
    offers: open.map(({ prompt, run }) => ({
      text: `${runTitle(run)}, asked by ${run.actor} (${runName(run.id)})`,
      command: `${verdict} ${prompt.code}`,
    })),
  };
}
