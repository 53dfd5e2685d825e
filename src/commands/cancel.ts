import { OpsError } from '#domain/errors.ts';
import { roleAtLeast, sameHuman } from '#domain/operators.ts';
import { runName } from '#domain/runs.ts';
import { RunId, z } from '#engine/args.ts';
import { defineQuery } from '#engine/command.ts';

export default defineQuery({
  summary: 'Stop a run at its next step, or take back a question.',
  examples: ['r1'],
  args: z.strictObject({ id: RunId }),
  positional: ['id'],
  role: 'operator',
  needs: ['runs', 'operators'],
  answer: ({ id }, { runs, operators }, { user, role }) => {
    const found = runs.find(id);
    if (!found)
      throw new OpsError('notFound', `There is no run ${runName(id)}.`, { hint: '!runs --open lists the open ones.' });
    const people = operators.list();
    if ((found.run.touches.users ?? []).some((touched) => sameHuman(touched.user, user, people))) {
      throw new OpsError('denied', 'Whoever is the target cannot stop it.');
    }
    if (!sameHuman(found.run.actor, user, people) && !roleAtLeast(role, 'admin')) {
      throw new OpsError('denied', `Only ${found.run.actor} or an admin can stop ${runName(found.run.id)}.`);
    }
    return runs.cancel(found.run.id, user);
  },
  view: (run) => ({
    title: run.state === 'stopping' ? `${runName(run.id)} stops at its next step.` : `${runName(run.id)} is cancelled.`,
  }),
});
