import { RunId, z } from '#engine/args.ts';
import { defineQuery } from '#engine/command.ts';

export default defineQuery({
  summary: 'Undo a run: asks for the command that takes it back, as if you had typed it.',
  examples: ['r1'],
  args: z.strictObject({ id: RunId }),
  positional: ['id'],
  role: 'operator',
  needs: ['runs'],
  answer: ({ id }, { runs }) => ({ line: runs.undoing(id), undoOf: id }),
  becomes: (data) => data,
  view: ({ line }) => ({ title: `It becomes ${line}.` }),
});
