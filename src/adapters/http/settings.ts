import { z } from 'zod';
import { httpUrl, listenAddress, secret, secretUrl } from '#domain/setting.ts';

export const settings = z
  .strictObject({
    listen: listenAddress().meta({
      description: 'Address and port of health, metrics and webhooks. Keep it off the internet.',
      example: '127.0.0.1:9099',
    }),
    publicUrl: httpUrl().optional().describe('The same as others reach it, for links in messages.'),
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

/** A page that goes another way because Matrix is down. */
export const fallback = z
  .strictObject({
    webhook: z
      .strictObject({
        url: secretUrl().meta({ description: 'Gets a POST with the page as JSON.' }),
        bearer: secret().optional().describe('Sent as `Authorization: Bearer …`.'),
      })
      .describe('An HTTP hook.'),
  })
  .describe('One way out.');
