import { defineCheck } from '#engine/check.ts';

// Far enough above the limit to tell slow from dead, near enough to be back before the next probe.
const giveUpMs = 30_000;

/**
 * The sync latency is the time from sending in a private room to seeing it in the bot's own sync. Synapse's histogram
 * of `/sync` holds the long-poll wait and reads 10 s on a healthy, quiet server.
 */
export default defineCheck({
  part: 'synapse',
  title: 'sync latency',
  everyMs: 60_000,
  timeoutMs: giveUpMs + 5000,
  needs: ['roundTrip'],
  dependsOn: 'synapse-health',
  values: {
    round_trip_ms: { title: 'sync latency', unit: 'ms' },
    send_ms: { title: 'send', unit: 'ms' },
  },
  rules: [
    {
      name: 'sync-latency',
      alert: 'SyncSlow',
      of: 'round_trip_ms',
      is: 'above',
      critical: 5000,
      forMs: 60_000,
      help: 'The checks database-pool and postgres show what it waits for.',
      inhibitedBy: ['synapse-health', 'synapse-database'],
    },
  ],
  async read({ roundTrip }, _before, signal) {
    const { totalMs, sendMs, seen } = await roundTrip.measure(giveUpMs, signal);
    const note = seen ? undefined : `not seen after ${giveUpMs / 1000} s: the true value is higher`;
    return {
      samples: [
        { name: 'round_trip_ms', value: totalMs, note },
        { name: 'send_ms', value: sendMs },
      ],
    };
  },
});
