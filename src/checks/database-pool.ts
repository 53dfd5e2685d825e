import { samplesOf, type Scrape, whyNothing } from '#domain/metrics.ts';
import { quantileBetween, restartFamilies } from '#domain/rates.ts';
import { type Before, type CheckSample, defineCheck } from '#engine/check.ts';

const working = 'synapse_threadpool_working_threads';
const most = 'synapse_threadpool_max_threads';
const waiting = 'synapse_storage_schedule_time';
const windowMs = 60_000;

type Keep = { scrapes: Scrape[]; ratios: Array<{ atMs: number; ratio: number }> };

/** One thread of the pool is one connection. The gauge shows the moment of the scrape, so the most of a minute counts. */
export default defineCheck({
  part: 'synapse',
  title: 'database pool',
  everyMs: 15_000,
  needs: ['synapseMetrics'],
  dependsOn: 'synapse-health',
  values: {
    used_ratio: { title: 'database pool', unit: 'ratio' },
    wait_p99_ms: { title: 'wait for a connection (p99)', unit: 'ms' },
  },
  rules: [
    {
      name: 'database-pool',
      alert: 'DatabasePoolFull',
      of: 'used_ratio',
      is: 'above',
      warning: 0.9,
      forMs: 60_000,
      help: 'Raise cp_max in homeserver.yaml, or find what holds the connections.',
    },
    {
      name: 'database-wait',
      alert: 'DatabaseWaitLong',
      of: 'wait_p99_ms',
      is: 'above',
      warning: 500,
      forMs: 120_000,
      help: 'Requests queue for a connection.',
      inhibitedBy: ['database-pool'],
    },
  ],
  async read({ synapseMetrics, clock }, before: Before<Keep>, signal) {
    const scrapes = await synapseMetrics.scrape([working, most, waiting, ...restartFamilies], signal);
    const last = before.keep;
    const now = clock.monotonicMs();
    const used = fullest(scrapes);
    const ratios = [...(last?.ratios ?? []), ...(used ? [{ atMs: now, ratio: used.ratio }] : [])].filter(
      ({ atMs }) => now - atMs <= windowMs,
    );
    const pool: CheckSample = used
      ? { name: 'used_ratio', value: Math.max(...ratios.map(({ ratio }) => ratio)), note: used.note }
      : { name: 'used_ratio', value: undefined, note: whyNothing(scrapes, working) ?? whyNothing(scrapes, most) };
    return { samples: [pool, ...wait(last?.scrapes, scrapes)], keep: { scrapes, ratios } };
  },
});

/** The pool nearest to its maximum, of all processes and databases. */
function fullest(scrapes: readonly Scrape[]): { ratio: number; note: string } | undefined {
  const isPool = (labels: Record<string, string>) => labels['name']?.startsWith('database-') ?? false;
  const pools = scrapes.flatMap((scrape) =>
    samplesOf([scrape], working, isPool).flatMap((sample) => {
      const max = samplesOf([scrape], most, (labels) => labels['name'] === sample.labels['name'])[0]?.value;
      return max === undefined || max <= 0 ? [] : [{ busy: sample.value, max }];
    }),
  );
  const [top] = pools.toSorted((a, b) => b.busy / b.max - a.busy / a.max);
  return top && { ratio: top.busy / top.max, note: `${top.busy} of ${top.max} connections at the last look` };
}

/** No sample when nobody asked for a connection: that isn't a wait of 0. */
function wait(before: readonly Scrape[] | undefined, after: readonly Scrape[]): CheckSample[] {
  const found = before && quantileBetween(0.99, before, after, waiting);
  if (found === undefined) return [];
  return [
    {
      name: 'wait_p99_ms',
      value: found.value * 1000,
      note: found.atLeast ? 'or longer: beyond the last bucket' : undefined,
    },
  ];
}
