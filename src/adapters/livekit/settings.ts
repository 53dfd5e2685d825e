import { z } from 'zod';
import { httpUrl, secret } from '#domain/setting.ts';

export const settings = z
  .strictObject({
    url: httpUrl().meta({ description: "LiveKit's API.", example: 'http://127.0.0.1:7880' }),
    apiKey: z
      .string({ error: 'must be a name of `keys` in livekit.yaml' })
      .min(1, 'must be a name of `keys` in livekit.yaml')
      .meta({ description: 'Name of the key in `keys` of livekit.yaml.', example: 'opsroom' }),
    apiSecret: secret().meta({ description: 'Its secret.', example: { file: './secrets/livekit-secret' } }),
    metricsUrl: httpUrl().optional().meta({
      description: 'Its metrics. Without them bandwidth and failed connections are unknown.',
      example: 'http://127.0.0.1:6789/metrics',
    }),
  })
  .describe('The calls. Without it the call commands are off and a disable cannot end calls.');
