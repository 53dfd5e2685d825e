import { z } from 'zod';
import { httpUrl, secret } from '#domain/setting.ts';

export const settings = z
  .strictObject({
    url: httpUrl().meta({
      description: "Synapse's own address, with its admin API. Never through a proxy that hides /_synapse/admin.",
      example: 'http://127.0.0.1:8008',
    }),
    adminToken: secret().meta({
      description: "Access token of a server admin's account, made for the bot alone.",
      example: { file: './secrets/synapse-admin-token' },
    }),
    registrationSharedSecret: secret()
      .optional()
      .meta({
        description:
          '`registration_shared_secret` of homeserver.yaml: the way back when every admin token is lost (`npm start -- mend`). It is as powerful as they are.',
        example: { file: './secrets/registration-shared-secret' },
      }),
    metricsUrls: z
      .array(httpUrl(), { error: 'must be a list of addresses' })
      .default([])
      .meta({
        description:
          'Metrics of the main process and of each worker. Without them memory and database pool are unknown.',
        example: ['http://127.0.0.1:9000/_synapse/metrics'],
      }),
  })
  .describe('The homeserver that is administered.');
