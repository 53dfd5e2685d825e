import { asOpsError } from '#domain/errors.ts';
import type { HomeserverProbe } from '#domain/probes.ts';
import { type CheckSample, defineCheck } from '#engine/check.ts';

export default defineCheck({
  part: 'synapse',
  title: 'Synapse',
  everyMs: 30_000,
  needs: ['homeserver'],
  unknownForMs: 60_000,
  unknownIs: 'critical',
  values: {
    up: { title: 'Synapse', unit: 'up' },
    database_up: { title: "Synapse's database", unit: 'up' },
    database_ms: { title: 'database read through Synapse', unit: 'ms' },
  },
  rules: [
    {
      name: 'synapse-health',
      alert: 'SynapseDown',
      of: 'up',
      is: 'below',
      critical: 1,
      forMs: 30_000,
      help: 'Start Synapse and look at its log.',
    },
    {
      name: 'synapse-database',
      alert: 'SynapseDatabaseDown',
      of: 'database_up',
      is: 'below',
      critical: 1,
      forMs: 30_000,
      help: 'Is PostgreSQL running, and can Synapse log in?',
      inhibitedBy: ['synapse-health', 'postgres-up'],
    },
  ],
  async read({ homeserver }, _before, signal) {
    const answer = await homeserver.health(signal);
    if (answer.kind === 'refused') return { samples: [{ name: 'up', value: 0, note: 'connection refused' }] };
    if (answer.status !== 200) {
      return { samples: [{ name: 'up', value: 0, note: `/health answers ${answer.status}` }] };
    }
    return { samples: [{ name: 'up', value: 1 }, ...(await database(homeserver))] };
  },
});

/** `/health` says OK with the database stopped, so a read that must go there is asked for too. */
async function database({ database: ask }: HomeserverProbe): Promise<CheckSample[]> {
  if (ask === undefined) return [];
  try {
    const { latencyMs } = await ask();
    return [
      { name: 'database_up', value: 1 },
      { name: 'database_ms', value: latencyMs },
    ];
  } catch (error) {
    const { kind, message } = asOpsError(error);
    // Synapse lives and can't answer: its database is out of reach for everybody else too. A bad token says nothing.
    return [{ name: 'database_up', value: kind === 'unavailable' ? 0 : undefined, note: message }];
  }
}
