import { OpsError } from '#domain/errors.ts';
import { roleAtLeast } from '#domain/operators.ts';
import { runName } from '#domain/runs.ts';
import { RunId, z } from '#engine/args.ts';
import { defineQuery } from '#engine/command.ts';

export default defineQuery({
  summary: 'Leave an interrupted run as it is: what was done stays, the rest is not done.',
  examples: ['r1'],
  args: z.strictObject({ id: RunId }),
  positional: ['id'],
  role: 'operator',
  needs: ['runs'],
  answer: ({ id }, { runs }, { user, role }) => {
    const found = runs.find(id);
    if (found && found.run.actor !== user && !roleAtLeast(role, 'admin')) {
      throw new OpsError('denied', `Only ${found.run.actor} or an admin can abandon ${runName(id)}.`);
    }
    return runs.abandon(id, user);
  },
  view: (run) => ({ title: `${runName(run.id)} is closed as it is: ${run.state}.` }),
});
