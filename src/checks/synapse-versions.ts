import { z } from 'zod';
import { OpsError } from '#domain/errors.ts';
import { defineCheck } from '#engine/check.ts';

const body = z.object({ versions: z.array(z.string()).min(1) });

export default defineCheck({
  part: 'synapse',
  title: 'client API',
  everyMs: 60_000,
  needs: ['homeserver'],
  dependsOn: 'synapse-health',
  values: {
    api_up: { title: 'client API', unit: 'up' },
    answer_ms: { title: 'client API answer', unit: 'ms' },
  },
  rules: [
    {
      name: 'synapse-versions',
      alert: 'ClientApiDown',
      of: 'api_up',
      is: 'below',
      critical: 1,
      forMs: 60_000,
      help: '/_matrix/client/versions must be served at synapse.url.',
      inhibitedBy: ['synapse-health'],
    },
  ],
  async read({ homeserver }, _before, signal) {
    const answer = await homeserver.versions(signal);
    if (answer.kind === 'refused') return { samples: [{ name: 'api_up', value: 0, note: 'connection refused' }] };
    if (answer.status !== 200) return { samples: [{ name: 'api_up', value: 0, note: `it answers ${answer.status}` }] };
    const { versions } = parse(answer.text);
    return {
      samples: [
        { name: 'api_up', value: 1, note: `up to ${versions.at(-1)}` },
        { name: 'answer_ms', value: answer.tookMs },
      ],
    };
  },
});

function parse(text: string): z.infer<typeof body> {
  try {
    return body.parse(JSON.parse(text));
  } catch (cause) {
    throw new OpsError('unavailable', 'The client API answers with something else than versions.', { cause });
  }
}
