import type { UserId } from '#domain/accounts.ts';
import { RestOfLine, z } from '#engine/args.ts';
import { defineChange } from '#engine/command.ts';

export default defineChange({
  summary: 'Stop all changes until !resume. Pages, on-call and scheduled backups go on.',
  examples: ['', 'migrating the database'],
  args: z.strictObject({ reason: RestOfLine.optional() }),
  positional: ['reason'],
  role: 'operator',
  confirm: 'none',
  undo: 'fully',
  needs: ['switches'],
  runsPaused: true,
  plan: z.strictObject({ by: z.string(), reason: z.string() }),
  afterCrash: 'resume',
  steps: { pause: { title: 'pause changes', again: 'safe' } },
  prepare: ({ reason }, _ports, { user }) => ({
    plan: { by: user, reason: reason ?? 'no reason given' },
    facts: undefined,
    touches: { things: ['switch:paused'] },
  }),
  describe: (plan) => ({ title: `Pause all changes (${plan.reason})?` }),
  async apply(plan, { switches, clock }, run) {
    await run.step('pause', async () =>
      switches.setPaused({ by: plan.by as UserId, reason: plan.reason, since: clock.now() }),
    );
    return { title: `Changes are paused: ${plan.reason}. Pages, on-call and scheduled backups go on.` };
  },
  inverse: () => 'resume',
});
