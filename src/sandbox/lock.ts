import { DatabaseSync } from 'node:sqlite';
import { OpsError } from '#domain/errors.ts';

const retryMs = 200;

/**
 * A lock between processes: an exclusive transaction on a small SQLite file. The kernel frees it when its holder ends,
 * however it ends, so there is no stale lock to detect.
 */
export function tryLock(file: string): Disposable | undefined {
  const database = new DatabaseSync(file, { timeout: 0 });
  try {
    database.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if (error instanceof Error && error.message.includes('locked')) return undefined;
    throw error;
  }
  return { [Symbol.dispose]: () => database.close() };
}

/** Waits until the lock is free; `onWait` is called once when it isn't at once. */
export async function lock(file: string, onWait: () => void, signal?: AbortSignal): Promise<Disposable> {
  for (let first = true; ; first = false) {
    const held = tryLock(file);
    if (held) return held;
    if (first) onWait();
    await pause(retryMs, signal);
  }
}

/** Throws `cancelled` when the sandbox was asked to stop. */
export function stopIfAsked(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new OpsError('cancelled', 'The sandbox was asked to stop.');
}

/** Resolves after `ms`; rejects when the signal is aborted first. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancelled = () => {
      clearTimeout(timer);
      reject(new OpsError('cancelled', 'The sandbox was asked to stop.'));
    };
    if (signal?.aborted) return reject(new OpsError('cancelled', 'The sandbox was asked to stop.'));
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', cancelled);
      resolve();
    }, ms);
    signal?.addEventListener('abort', cancelled, { once: true });
  });
}
