import { OpsError } from '#domain/errors.ts';
import { none, z } from '#engine/args.ts';
import { defineChange } from '#engine/command.ts';

export default defineChange({
  summary: 'Give the bot a new device with new keys, signed by its saved identity.',
  examples: [''],
  args: none,
  role: 'admin',
  confirm: 'caller',
  undo: 'none',
  needs: ['encryption'],
  plan: z.strictObject({ device: z.string() }),
  afterCrash: 'report',
  steps: { renew: { title: 'log in as a new device', again: 'never' } },
  async prepare(_args, { encryption }) {
    const why = encryption.whyNotRenew();
    if (why !== undefined) throw new OpsError('misconfigured', 'The bot cannot log in by itself.', { hint: why });
    const { bot } = await encryption.status();
    return { plan: { device: bot?.device ?? '' }, facts: undefined, touches: { things: ['bot:device'] } };
  },
  describe: (plan) => ({
    title: 'Give the bot a new device?',
    blocks: [
      {
        kind: 'text',
        lines: [
          ['The device ', { code: plan.device }, ' is logged out and its keys are thrown away.'],
          'The bot is away for some seconds. Nobody has to verify it anew: the saved identity signs the new device.',
        ],
      },
    ],
  }),
  async apply(_plan, { encryption }, run) {
    await run.step('renew', async () => encryption.renew());
    return { title: 'The bot has logged in as a new device and comes back with it in some seconds.' };
  },
});
