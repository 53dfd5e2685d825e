import type { Clock } from '#domain/clock.ts';
import { OpsError } from '#domain/errors.ts';
import type { Log } from '#domain/log.ts';

const tickMs = 1000;

/** Rejects when the start is stopped. */
export function aborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    const stop = (): void => reject(new OpsError('cancelled', 'The bot was stopped while it started.'));
    if (signal?.aborted) stop();
    else signal?.addEventListener('abort', stop, { once: true });
  });
}

/** What fails by itself (a full disk) is noted and tried again the next time. */
export function calmly(work: () => void, log: Log): void {
  try {
    work();
  } catch (error) {
    log.error({ error }, 'a tick failed');
  }
}

/** Each second, until the signal ends it. */
export async function ticking(clock: Clock, signal: AbortSignal, log: Log, ticks: Array<() => void>): Promise<void> {
  while (!signal.aborted) {
    for (const tick of ticks) calmly(tick, log);
    await clock.sleep(tickMs, signal).catch(() => {});
  }
}
