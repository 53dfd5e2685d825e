import { setTimeout as timer } from 'node:timers/promises';
import type { Clock, EpochMs } from '#domain/clock.ts';

// Node's timers hold 31 bits: a longer one would fire at once.
const longestTimerMs = 2 ** 31 - 1;

/** The machine's clock: the only place that reads it. */
export class SystemClock implements Clock {
  now(): EpochMs {
    return Date.now();
  }

  monotonicMs(): number {
    return performance.now();
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    const endMs = this.monotonicMs() + ms;
    for (;;) {
      signal?.throwIfAborted();
      const leftMs = endMs - this.monotonicMs();
      if (leftMs <= 0) return;
      try {
        await timer(Math.min(Math.ceil(leftMs), longestTimerMs), undefined, signal ? { signal } : {});
      } catch (error) {
        // The timer rejects with an AbortError of its own; callers are promised the signal's reason.
        signal?.throwIfAborted();
        throw error;
      }
    }
  }
}
