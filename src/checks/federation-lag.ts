import { hasFamily, maxOf, type Measured, minOf, type Scrape, sumOf } from '#domain/metrics.ts';
import { defineCheck } from '#engine/check.ts';

const persisted = 'synapse_event_persisted_position';
const positions = 'synapse_event_processing_positions';
const lastTimes = 'synapse_event_processing_last_ts';
const pending = 'synapse_federation_transaction_queue_pending_pdus';
const ofSender = (labels: Record<string, string>) => labels['name'] === 'federation_sender';

/**
 * Events not yet handed to the sender, and how old the last handed one is while there are any: its age alone grows on a
 * quiet server.
 */
export default defineCheck({
  part: 'synapse',
  title: 'federation lag',
  everyMs: 60_000,
  needs: ['synapseMetrics'],
  dependsOn: 'synapse-health',
  values: {
    behind_ms: { title: 'federation lag', unit: 'ms' },
    behind_events: { title: 'events not yet sent on', unit: 'count' },
    pending_pdus: { title: 'events queued for other servers', unit: 'count' },
  },
  rules: [
    {
      name: 'federation-lag',
      alert: 'FederationBehind',
      of: 'behind_ms',
      is: 'above',
      warning: 60_000,
      critical: 600_000,
      forMs: 300_000,
      help: 'Other servers get messages late.',
    },
  ],
  async read({ synapseMetrics, clock }, _before, signal) {
    const scrapes = await synapseMetrics.scrape([persisted, positions, lastTimes, pending], signal);
    const behind = eventsBehind(scrapes);
    return {
      samples: [
        { name: 'behind_ms', ...lag(scrapes, behind, clock.now()) },
        { name: 'behind_events', ...behind },
        { name: 'pending_pdus', ...sumOf(scrapes, pending) },
      ],
    };
  },
});

function eventsBehind(scrapes: readonly Scrape[]): Measured {
  const [newest, handed] = [maxOf(scrapes, persisted), minOf(scrapes, positions, ofSender)];
  if (newest.value === undefined) {
    // A gauge without a sample: Synapse has stored no event since it started, so none can wait.
    return hasFamily(scrapes, persisted) ? { value: 0 } : newest;
  }
  if (handed.value === undefined) return handed;
  return { value: Math.max(0, newest.value - handed.value) };
}

function lag(scrapes: readonly Scrape[], behind: Measured, now: number): Measured {
  if (behind.value === undefined) return behind;
  if (behind.value === 0) return { value: 0 };
  const last = maxOf(scrapes, lastTimes, ofSender);
  return last.value === undefined ? last : { value: Math.max(0, now - last.value) };
}
