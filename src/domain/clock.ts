/** Unix time in milliseconds, UTC. */
export type EpochMs = number;

/** Wall time for what is due, monotonic time for time-outs and durations. */
export interface Clock {
  now(): EpochMs;
  monotonicMs(): number;
  /** Resolves after `ms`; rejects with the signal's reason when it is aborted first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}
