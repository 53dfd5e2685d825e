import { OpsError } from '#domain/errors.ts';
import { roleAtLeast, sameHuman } from '#domain/operators.ts';
import { none, z } from '#engine/args.ts';
import { defineChange } from '#engine/command.ts';

export default defineChange({
  summary: 'End the pause. Who paused may, and owners.',
  examples: [''],
  args: none,
  role: 'operator',
  confirm: 'none',
  undo: 'fully',
  needs: ['switches', 'operators'],
  runsPaused: true,
  plan: z.strictObject({ pausedBy: z.string() }),
  afterCrash: 'resume',
  steps: { resume: { title: 'allow changes', again: 'safe' } },
  prepare(_args, { switches, operators }, { user, role }) {
    const pause = switches.paused();
    if (!pause) throw new OpsError('conflict', 'Changes are not paused.');
    if (!sameHuman(pause.by, user, operators.list()) && !roleAtLeast(role, 'owner')) {
      throw new OpsError('denied', `${pause.by} paused changes; only they or an owner can resume.`);
    }
    return { plan: { pausedBy: pause.by }, facts: undefined, touches: { things: ['switch:paused'] } };
  },
  describe: () => ({ title: 'Allow changes again?' }),
  async apply(_plan, { switches }, run) {
    await run.step('resume', async () => switches.setPaused(undefined));
    return { title: 'Changes are allowed again.' };
  },
});
