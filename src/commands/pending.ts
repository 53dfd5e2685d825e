import { formatDuration } from '#domain/duration.ts';
import { runName } from '#domain/runs.ts';
import { runTitle } from '#domain/touched.ts';
import { none } from '#engine/args.ts';
import { defineQuery } from '#engine/command.ts';

export default defineQuery({
  summary: 'List the questions that wait for an answer.',
  examples: [''],
  args: none,
  role: 'viewer',
  needs: ['approvals'],
  answer: (_args, { approvals, clock }) => ({ open: approvals.open(), now: clock.now() }),
  view: ({ open, now }, _args, { bot }) => {
    if (open.length === 0) return { title: 'Nothing waits for an answer.' };
    return {
      title: `${open.length === 1 ? 'One question waits' : `${open.length} questions wait`} for an answer.`,
      blocks: [
        {
          kind: 'table',
          head: ['answer with', 'what', 'asked by', 'who may', 'still'],
          rows: open.map(({ prompt, run, able }) => [
            [{ code: `${bot.prefix}${prompt.atEnd === 'proceed' ? 'deny' : 'approve'} ${prompt.code}` }],
            `${runTitle(run)} (${runName(run.id)})`,
            run.actor,
            prompt.atEnd === 'proceed'
              ? 'anybody, to stop it'
              : able.length > 0
                ? able.join(', ')
                : `another ${prompt.role}`,
            formatDuration(Math.max(0, prompt.expiresAt - now)),
          ]),
        },
      ],
    };
  },
});
