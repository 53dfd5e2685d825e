import { sumOf } from '#domain/metrics.ts';
import { defineCheck } from '#engine/check.ts';

const resident = 'process_resident_memory_bytes';

export default defineCheck({
  part: 'synapse',
  title: 'Synapse memory',
  everyMs: 60_000,
  needs: ['synapseMetrics'],
  dependsOn: 'synapse-health',
  values: { resident_bytes: { title: 'Synapse memory', unit: 'bytes' } },
  rules: [
    {
      name: 'synapse-memory',
      alert: 'SynapseMemoryHigh',
      of: 'resident_bytes',
      is: 'above',
      warning: 4 * 1024 ** 3,
      forMs: 600_000,
      help: 'Smaller caches, more workers, or a restart at a quiet time.',
    },
  ],
  async read({ synapseMetrics }, _before, signal) {
    const scrapes = await synapseMetrics.scrape([resident], signal);
    const note = scrapes.length > 1 ? `sum of ${scrapes.length} processes` : undefined;
    return { samples: [{ name: 'resident_bytes', note, ...sumOf(scrapes, resident) }] };
  },
});
