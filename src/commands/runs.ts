import { ago } from '#domain/duration.ts';
import { runName } from '#domain/runs.ts';
import { runTitle } from '#domain/touched.ts';
import { Count, Flag, z } from '#engine/args.ts';
import { defineQuery } from '#engine/command.ts';

export default defineQuery({
  summary: 'List the latest changes that were asked for.',
  examples: ['', '--open', '--limit 50'],
  args: z.strictObject({ open: Flag.describe('only those that are not over'), limit: Count.default(15) }),
  role: 'viewer',
  needs: ['runs'],
  answer: ({ open, limit }, { runs, clock }) => ({ list: runs.recent({ limit, open }), now: clock.now() }),
  view: ({ list, now }, { open }) => {
    if (list.length === 0) return { title: open ? 'No run is open.' : 'No runs yet.' };
    return {
      title: `The latest ${list.length === 1 ? 'run' : `${list.length} runs`}:`,
      blocks: [
        {
          kind: 'table',
          head: ['run', 'what', 'by', 'state', 'when'],
          rows: list.map((run) => [runName(run.id), runTitle(run), run.actor, run.state, ago(run.madeAt, now)]),
        },
      ],
    };
  },
});
