import { setTimeout as timer } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { Clock } from '#domain/clock.ts';
import { SystemClock } from '#adapters/system/clock.ts';
import { FakeClock } from '#test/fakes/clock.ts';

type ClockWorld = { clock: Clock; pass(ms: number): Promise<void> };

function fakeWorld(): ClockWorld {
  const clock = new FakeClock();
  return { clock, pass: (ms) => clock.advance(ms) };
}

describe.each<[string, () => ClockWorld]>([
  ['fake', fakeWorld],
  ['system', () => ({ clock: new SystemClock(), pass: (ms) => timer(ms) })],
])('Clock: %s', (_name, open) => {
  test('wall and monotonic time pass alike', async () => {
    const { clock, pass } = open();
    const [wall, monotonic] = [clock.now(), clock.monotonicMs()];
    await pass(50);
    expect(clock.monotonicMs() - monotonic).toBeGreaterThanOrEqual(49);
    expect(clock.now() - wall).toBeGreaterThanOrEqual(49);
    expect(clock.now()).toBeGreaterThan(Date.UTC(2026, 0));
  });

  test('sleepers wake in their order, none too early', async () => {
    const { clock, pass } = open();
    const startMs = clock.monotonicMs();
    const woken: Array<[string, number]> = [];
    const sleep = async (name: string, ms: number): Promise<void> => {
      await clock.sleep(ms);
      woken.push([name, clock.monotonicMs() - startMs]);
    };
    const all = Promise.all([sleep('third', 60), sleep('first', 0), sleep('second', 20)]);
    await pass(100);
    await all;
    expect(woken.map(([name]) => name)).toEqual(['first', 'second', 'third']);
    expect(woken[1]?.[1]).toBeGreaterThanOrEqual(20);
    expect(woken[2]?.[1]).toBeGreaterThanOrEqual(60);
  });

  test("an abort ends the sleep with the signal's own reason, also before it began", async () => {
    const { clock, pass } = open();
    const reason = new Error('stopping');
    const stopping = new AbortController();
    // Longer than a timer of Node's holds: it must not end at once.
    const sleeping = clock.sleep(2 ** 31 + 1000, stopping.signal);
    let ended = false;
    void sleeping.catch(() => (ended = true));
    await pass(20);
    expect(ended).toBe(false);
    stopping.abort(reason);
    await expect(sleeping).rejects.toBe(reason);
    await expect(clock.sleep(10, stopping.signal)).rejects.toBe(reason);
  });
});
