import { setImmediate as turn } from 'node:timers/promises';
import type { Clock, EpochMs } from '#domain/clock.ts';

type Sleeper = { dueMs: number; wake: () => void };

/** Time stands still until `advance`. */
export class FakeClock implements Clock {
  #nowMs: EpochMs;
  #passedMs = 0;
  readonly #sleepers = new Set<Sleeper>();

  constructor(start: EpochMs | string = '2026-08-03T09:00:00Z') {
    this.#nowMs = typeof start === 'string' ? Date.parse(start) : start;
  }

  now(): EpochMs {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#passedMs;
  }

  /** How many sleep now: a test can wait until the code under test has got there. */
  get sleeping(): number {
    return this.#sleepers.size;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
    if (ms <= 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        this.#sleepers.delete(sleeper);
        reject(signal?.reason as Error);
      };
      const wake = (): void => {
        signal?.removeEventListener('abort', abort);
        resolve();
      };
      const sleeper = { dueMs: this.#passedMs + ms, wake };
      this.#sleepers.add(sleeper);
      signal?.addEventListener('abort', abort, { once: true });
    });
  }

  /** Lets time pass and wakes sleepers in their order, each at its own time and with its work done before the next. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#passedMs + ms;
    await turn();
    for (;;) {
      const next = [...this.#sleepers].toSorted((a, b) => a.dueMs - b.dueMs)[0];
      if (next === undefined || next.dueMs > endMs) break;
      this.#sleepers.delete(next);
      this.#pass(next.dueMs - this.#passedMs);
      next.wake();
      await turn();
    }
    this.#pass(endMs - this.#passedMs);
  }

  /** The wall clock is set, as NTP does; no time passes. */
  setWall(now: EpochMs | string): void {
    this.#nowMs = typeof now === 'string' ? Date.parse(now) : now;
  }

  #pass(ms: number): void {
    this.#passedMs += ms;
    this.#nowMs += ms;
  }
}
