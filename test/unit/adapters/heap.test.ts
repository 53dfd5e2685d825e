import { expect, test } from 'vitest';
import { type Heap, keepSmall, V8Heap } from '#adapters/system/heap.ts';
import { FakeClock } from '#test/fakes/clock.ts';

const mib = 1024 * 1024;

/** A heap in which 30 MiB are in use and the rest is garbage. */
class FakeHeap implements Heap {
  readonly keptBytes = 30 * mib;
  garbageBytes = 25 * mib;
  collections = 0;

  usedBytes(): number {
    return this.keptBytes + this.garbageBytes;
  }

  collect(): void {
    this.garbageBytes = 0;
    this.collections += 1;
  }
}

test('what loading left behind is collected once, and again only when as much has gathered as is worth it', async () => {
  const heap = new FakeHeap();
  const clock = new FakeClock();
  const stop = new AbortController();
  const kept = keepSmall(heap, clock, stop.signal);
  await clock.advance(29_000);
  expect(heap.collections).toBe(0);
  await clock.advance(1000);
  expect(heap.collections).toBe(1);
  heap.garbageBytes = 7 * mib;
  await clock.advance(600_000);
  expect(heap.collections).toBe(1);
  heap.garbageBytes = 9 * mib;
  await clock.advance(30_000);
  expect(heap.collections).toBe(2);
  stop.abort();
  await kept;
});

test('the heap of the process gives garbage back', () => {
  const heap = new V8Heap();
  heap.collect();
  const before = heap.usedBytes();
  let garbage: unknown[] | undefined = Array.from({ length: 400_000 }, (_, n) => ({ n }));
  expect(heap.usedBytes() - before).toBeGreaterThan(8 * mib);
  expect(garbage.length).toBe(400_000);
  garbage = undefined;
  heap.collect();
  expect(heap.usedBytes() - before).toBeLessThan(8 * mib);
  expect('gc' in globalThis).toBe(false);
});
