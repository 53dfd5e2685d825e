import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Clock } from '#domain/clock.ts';

const lookEveryMs = 30_000;
const worthItBytes = 8 * 1024 * 1024;

export interface Heap {
  usedBytes(): number;
  /** Stands still for some 50 ms. */
  collect(): void;
}

/** The heap of this process. */
export class V8Heap implements Heap {
  #gc: (() => void) | undefined;

  usedBytes(): number {
    return getHeapStatistics().used_heap_size;
  }

  collect(): void {
    if (this.#gc === undefined) {
      // A context that is made while the flag is set has the function; the program itself never sees it.
      setFlagsFromString('--expose-gc');
      this.#gc = runInNewContext('gc') as () => void;
      setFlagsFromString('--no-expose-gc');
    }
    this.#gc();
  }
}

/**
 * Collects garbage once some has gathered. V8 by itself waits until it needs the room, which a bot that does nothing never
 * does: what loading left behind (25 MB) would stay for ever.
 */
export async function keepSmall(heap: Heap, clock: Clock, signal: AbortSignal): Promise<void> {
  let leftBytes = 0;
  while (!signal.aborted) {
    await clock.sleep(lookEveryMs, signal).catch(() => {});
    if (signal.aborted) return;
    if (heap.usedBytes() - leftBytes < worthItBytes) continue;
    heap.collect();
    leftBytes = heap.usedBytes();
  }
}
