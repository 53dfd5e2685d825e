import { expect, test } from 'vitest';
import { EventLoop } from '#adapters/system/event-loop.ts';
import { Standstill } from '#src/standstill.ts';
import { FakeClock } from '#test/fakes/clock.ts';
import { FakeLog } from '#test/fakes/log.ts';

function block(ms: number): void {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs) {
    // Nothing else may run.
  }
}

test('a standstill is measured, and told once', async () => {
  using loop = new EventLoop();
  loop.worstMs();
  block(500);
  expect(loop.worstMs()).toBeGreaterThan(390);
  // A busy machine may make it stand still once more.
  await expect.poll(() => loop.worstMs()).toBeLessThan(390);
});

test('above a second there is a line in the log, and the number stands for a minute', async () => {
  const clock = new FakeClock();
  const log = new FakeLog();
  using still = new Standstill(clock, log);
  still.tick();
  block(1200);
  still.tick();
  expect(log.messages('warn')).toEqual(['the bot stood still: nothing was answered meanwhile']);
  expect(still.worstMs).toBeGreaterThan(1000);
  expect(still.state()).toEqual({ ready: true });
  const aMinuteLater = async (): Promise<number> => {
    await clock.advance(61_000);
    still.tick();
    return still.worstMs;
  };
  await expect.poll(aMinuteLater).toBeLessThan(1000);
});

test('above ten seconds it is not ready for a minute', async () => {
  const clock = new FakeClock();
  const stalls = [0, 12_000, 0];
  using still = new Standstill(clock, new FakeLog(), {
    worstMs: () => stalls.shift() ?? 0,
    [Symbol.dispose]: () => {},
  });
  still.tick();
  still.tick();
  expect(still.state()).toEqual({ ready: false, note: 'it stood still for 12 s in the last minute' });
  await clock.advance(61_000);
  still.tick();
  expect(still.state()).toEqual({ ready: true });
});
