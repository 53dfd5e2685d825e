import { hasFamily, type Scrape, sumOf } from '#domain/metrics.ts';
import { growth, restartFamilies } from '#domain/rates.ts';
import { type Before, defineCheck } from '#engine/check.ts';

const joins = 'livekit_participant_join_total';
const participants = 'livekit_participant_total';
const failures = new Set(['signal_failed', 'signal_validation_failed', 'rtc_failure']);
const attempts = new Set(['signal_connected', 'signal_failed', 'signal_validation_failed']);
const windowMs = 300_000;

type Step = { atMs: number; failed: number; tried: number };
type Keep = { scrapes: Scrape[]; steps: Step[] };

/**
 * Failed attempts as a share of all, over five minutes. One person may fail several times, so it can pass 100 %. A bad
 * or expired token is refused before anything is counted: it doesn't show here.
 */
export default defineCheck({
  part: 'livekit',
  title: 'failed call connections',
  everyMs: 30_000,
  needs: ['livekitMetrics'],
  dependsOn: 'livekit-health',
  values: {
    failed_ratio: { title: 'failed call connections', unit: 'ratio' },
    failed: { title: 'failed attempts in 5 min', unit: 'count' },
    tried: { title: 'attempts in 5 min', unit: 'count' },
  },
  rules: [
    {
      name: 'livekit-failed-connections',
      alert: 'CallsFail',
      of: 'failed_ratio',
      is: 'above',
      warning: 0.2,
      critical: 0.5,
      forMs: 60_000,
      // One unlucky client retries a few times.
      bound: (limit, { failed }) => (failed !== undefined && failed >= 5 ? limit : undefined),
      help: 'UDP ports, TURN and node_ip are the usual causes.',
    },
  ],
  async read({ livekitMetrics, clock }, before: Before<Keep>, signal) {
    const scrapes = await livekitMetrics.scrape([joins, participants, ...restartFamilies], signal);
    const last = before.keep;
    if (last === undefined) return { samples: [], keep: { scrapes, steps: [] } };
    // No join yet shows no metric; with people inside it must be there, or it was renamed.
    if (!hasFamily(scrapes, joins) && sumOf(scrapes, participants).value !== 0) {
      return {
        samples: [{ name: 'failed_ratio', value: undefined, note: `metric absent: ${joins}` }],
        keep: { scrapes, steps: [] },
      };
    }
    const now = clock.monotonicMs();
    const grown = growth(last.scrapes, scrapes, joins) ?? [];
    const count = (states: ReadonlySet<string>) =>
      grown.reduce((sum, { labels, by }) => (states.has(labels['state'] ?? '') ? sum + by : sum), 0);
    const steps = [...last.steps, { atMs: now, failed: count(failures), tried: count(attempts) }].filter(
      ({ atMs }) => now - atMs < windowMs,
    );
    const failed = steps.reduce((sum, step) => sum + step.failed, 0);
    const tried = steps.reduce((sum, step) => sum + step.tried, 0);
    return {
      samples: [
        { name: 'failed_ratio', value: failed / Math.max(1, tried) },
        { name: 'failed', value: failed },
        { name: 'tried', value: tried },
      ],
      keep: { scrapes, steps },
    };
  },
});
