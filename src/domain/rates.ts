import { type Match, type Measured, type Scrape, whyNothing } from './metrics.ts';

const startFamily = 'process_start_time_seconds';
/** To be asked for with every counter: it shows a restart that the counters alone would hide. */
export const restartFamilies = [startFamily] as const;

function restarted(before: Scrape, after: Scrape): boolean {
  const start = (scrape: Scrape) => scrape.families.get(startFamily)?.samples[0]?.value;
  const [was, is] = [start(before), start(after)];
  return was !== undefined && is !== undefined && Math.abs(is - was) > 1;
}

const keyOf = (name: string, labels: Record<string, string>): string =>
  JSON.stringify([name, Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1))]);

/** One series' growth between two scrapes, and its labels. */
export type Growth = { labels: Record<string, string>; by: number };

/**
 * Growth of every matching series. A counter that fell, or whose process restarted, began anew: what it shows now is its
 * growth. A series that wasn't there before was born at 0. Undefined: a process has no scrape to compare with.
 */
export function growth(
  before: readonly Scrape[],
  after: readonly Scrape[],
  family: string,
  match: Match = () => true,
  name = family,
): Growth[] | undefined {
  const all: Growth[] = [];
  for (const now of after) {
    const then = before.find((scrape) => scrape.instance === now.instance);
    if (then === undefined) return undefined;
    const anew = restarted(then, now);
    const old = new Map(then.families.get(family)?.samples.map((s) => [keyOf(s.name, s.labels), s.value]));
    for (const sample of now.families.get(family)?.samples ?? []) {
      if (sample.name !== name || !match(sample.labels)) continue;
      const was = anew ? 0 : (old.get(keyOf(sample.name, sample.labels)) ?? 0);
      all.push({ labels: sample.labels, by: sample.value < was ? sample.value : sample.value - was });
    }
  }
  return all;
}

/** Seconds between two rounds of scrapes; undefined when no time passed or there is none before. */
export function secondsBetween(before: readonly Scrape[], after: readonly Scrape[]): number | undefined {
  const spans = after.flatMap((now) => {
    const then = before.find((scrape) => scrape.instance === now.instance);
    return then === undefined ? [] : [(now.monotonicMs - then.monotonicMs) / 1000];
  });
  const longest = Math.max(...spans, 0);
  return longest > 0 ? longest : undefined;
}

/** Growth per second, summed. An absent metric is unknown, not 0. */
export function rate(before: readonly Scrape[], after: readonly Scrape[], family: string, match?: Match): Measured {
  const note = whyNothing(after, family, match);
  if (note !== undefined) return { value: undefined, note };
  const grown = growth(before, after, family, match);
  const seconds = secondsBetween(before, after);
  if (grown === undefined || seconds === undefined) return { value: undefined, note: 'a rate needs a second scrape' };
  return { value: grown.reduce((sum, series) => sum + series.by, 0) / seconds };
}

export type Quantile = { value: number; /** It lies in the top bucket: the true value is higher. */ atLeast: boolean };

/**
 * The q-quantile from the cumulative counts of a histogram's buckets, linear inside the bucket as Prometheus does it. In
 * the `+Inf` bucket the highest finite bound is only a lower limit. Undefined: nothing was counted, which isn't 0.
 */
export function quantileOf(q: number, buckets: ReadonlyArray<{ le: number; count: number }>): Quantile | undefined {
  const sums = new Map<number, number>();
  for (const { le, count } of buckets) sums.set(le, (sums.get(le) ?? 0) + count);
  const sorted = [...sums].toSorted(([a], [b]) => a - b);
  const total = sums.get(Infinity);
  if (total === undefined || total <= 0) return undefined;
  const index = sorted.findIndex(([, count]) => count >= q * total);
  const [le, count] = sorted[index] ?? [Infinity, total];
  const [lower, below] = sorted[index - 1] ?? [0, 0];
  if (le === Infinity) return { value: lower, atLeast: true };
  return {
    value: lower + (le - lower) * (count === below ? 0 : (q * total - below) / (count - below)),
    atLeast: false,
  };
}

/** The quantile of what a histogram counted between two scrapes. */
export function quantileBetween(
  q: number,
  before: readonly Scrape[],
  after: readonly Scrape[],
  family: string,
  match?: Match,
): Quantile | undefined {
  const grown = growth(before, after, family, match, `${family}_bucket`) ?? [];
  return quantileOf(
    q,
    grown.map(({ labels, by }) => ({ le: labels['le'] === '+Inf' ? Infinity : Number(labels['le']), count: by })),
  );
}
