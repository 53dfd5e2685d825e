import { runName } from '#domain/runs.ts';
import { RunId, z } from '#engine/args.ts';
import { defineQuery } from '#engine/command.ts';

export default defineQuery({
  summary: 'Let an interrupted run go on from its last step; asks first.',
  examples: ['r1'],
  args: z.strictObject({ id: RunId }),
  positional: ['id'],
  role: 'operator',
  needs: ['runs'],
  answer: ({ id }, { runs }, caller) => runs.resume(id, caller),
  view: (run) => ({ title: `${runName(run.id)} goes on when the question is answered with a yes.` }),
});
