import { z } from 'zod';
import { httpUrl, listenAddress, secret } from '#domain/setting.ts';

export const settings = z
  .strictObject({
    listen: listenAddress().meta({
      description: 'Address and port of health, metrics and webhooks. Keep it off the internet.',
      example: '127.0.0.1:9099',
    }),
    publicUrl: httpUrl().optional().describe('The same as others reach it: its certificate is watched.'),
  })
  .describe('What other programs ask and tell the bot.');

/** Goes into the section `alerts`. */
export const hooks = {
  webhookSecret: secret()
    .optional()
    .meta({
      description: 'What senders of alerts show as `Authorization: Bearer …` (or as the password of basic auth).',
      example: { file: './secrets/webhook-secret' },
    }),
};
