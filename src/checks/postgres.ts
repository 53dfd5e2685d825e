import { defineCheck } from '#engine/check.ts';

export default defineCheck({
  part: 'postgres',
  title: 'PostgreSQL',
  everyMs: 30_000,
  needs: ['database'],
  unknownForMs: 60_000,
  unknownIs: 'critical',
  values: {
    up: { title: 'PostgreSQL', unit: 'up' },
    answer_ms: { title: 'PostgreSQL answer', unit: 'ms' },
    connections_ratio: { title: 'connections', unit: 'ratio' },
    database_bytes: { title: 'database size', unit: 'bytes' },
  },
  rules: [
    {
      name: 'postgres-up',
      alert: 'PostgresDown',
      of: 'up',
      is: 'below',
      critical: 1,
      forMs: 30_000,
      help: 'Start PostgreSQL and look at its log.',
    },
    {
      name: 'postgres-latency',
      alert: 'PostgresSlow',
      of: 'answer_ms',
      is: 'above',
      warning: 250,
      critical: 2000,
      forMs: 120_000,
      help: 'The machine or its disk is busy.',
    },
    {
      name: 'postgres-connections',
      alert: 'PostgresConnectionsHigh',
      of: 'connections_ratio',
      is: 'above',
      warning: 0.8,
      critical: 0.95,
      forMs: 60_000,
      help: 'Raise max_connections or lower cp_max of Synapse.',
    },
    {
      name: 'postgres-size',
      alert: 'DatabaseLarge',
      of: 'database_bytes',
      is: 'above',
      forMs: 0,
      help: 'Old state groups and remote media tables grow most.',
    },
  ],
  async read({ database }, _before, signal) {
    const reading = await database.read(signal);
    if (reading.kind === 'refused') return { samples: [{ name: 'up', value: 0, note: reading.why }] };
    const { connections, maxConnections } = reading;
    return {
      samples: [
        { name: 'up', value: 1 },
        { name: 'answer_ms', value: reading.tookMs },
        {
          name: 'connections_ratio',
          value: connections / maxConnections,
          note: `${connections} of ${maxConnections}`,
        },
        { name: 'database_bytes', value: reading.databaseBytes },
      ],
    };
  },
});
