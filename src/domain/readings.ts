import type { EpochMs } from './clock.ts';

/**
 * One value of one series at one time. `unknown`: the part couldn't be asked, which is never the same as 0; `note` says
 * why.
 */
export type Reading = { series: string; at: EpochMs; value: number | undefined; note: string | undefined };

/** Names of series are `check.value`, lower case, with the unit at the end: `synapse.memory_bytes`. */
export interface Readings {
  put(site: string, readings: Reading[]): void;
  last(site: string, series: string): Reading | undefined;
  lastOf(site: string, prefix: string): Reading[];
  since(site: string, series: string, from: EpochMs): Reading[];
  /** Forgets what is older. Gives the number forgotten. */
  trim(before: EpochMs): number;
}
