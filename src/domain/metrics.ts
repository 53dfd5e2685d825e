import type { EpochMs } from './clock.ts';

export type MetricType = 'counter' | 'gauge' | 'histogram' | 'summary' | 'untyped';
export type Sample = { name: string; labels: Record<string, string>; value: number };
/** A family may be there without a sample (HELP and TYPE only): that is neither absent nor 0. */
export type Family = { name: string; type: MetricType; help: string | undefined; samples: Sample[] };
/** What one process said of itself at one moment. */
export type Scrape = {
  /** Which process: host and port of its metrics address. */
  instance: string;
  at: EpochMs;
  /** For the time between two scrapes, whatever the wall clock did. */
  monotonicMs: number;
  families: ReadonlyMap<string, Family>;
};

/** The metrics of one part of the house, of all its processes. */
export interface MetricsSource {
  /**
   * Only the families asked for are kept. Throws `unavailable` when any process doesn't answer: a sum over the others
   * would be a lie.
   */
  scrape(families: readonly string[], signal: AbortSignal): Promise<Scrape[]>;
}

/** A number, or why there is none. */
export type Measured = { value: number | undefined; note?: string | undefined };

export type Match = (labels: Record<string, string>) => boolean;
const all: Match = () => true;

/** Is the family there at all, with or without samples? */
export const hasFamily = (scrapes: readonly Scrape[], family: string): boolean =>
  scrapes.some((scrape) => scrape.families.has(family));

/** Every sample of a family, over all processes; `name` picks one series of a histogram. */
export function samplesOf(scrapes: readonly Scrape[], family: string, match: Match = all, name = family): Sample[] {
  return scrapes
    .flatMap((scrape) => scrape.families.get(family)?.samples ?? [])
    .filter((sample) => sample.name === name && match(sample.labels));
}

/** Why a family gives no number; undefined when it has matching samples. */
export function whyNothing(scrapes: readonly Scrape[], family: string, match: Match = all): string | undefined {
  if (!hasFamily(scrapes, family)) return `metric absent: ${family}`;
  return samplesOf(scrapes, family, match).length === 0 ? `metric without a sample: ${family}` : undefined;
}

function fold(of: (values: number[]) => number) {
  return (scrapes: readonly Scrape[], family: string, match: Match = all): Measured => {
    const note = whyNothing(scrapes, family, match);
    if (note !== undefined) return { value: undefined, note };
    const value = of(samplesOf(scrapes, family, match).map((sample) => sample.value));
    return Number.isFinite(value) ? { value } : { value: undefined, note: `${family} is not a number` };
  };
}
export const sumOf = fold((values) => values.reduce((sum, value) => sum + value, 0));
export const maxOf = fold((values) => Math.max(...values));
export const minOf = fold((values) => Math.min(...values));
