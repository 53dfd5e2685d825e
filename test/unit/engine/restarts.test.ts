import { afterEach, beforeEach, expect, test } from 'vitest';
import type { BotInfo } from '#domain/bot.ts';
import { noteStart, noteStop } from '#engine/restarts.ts';
import { openStorage, type Storage } from '#storage/open.ts';
import { FakeClock } from '#test/fakes/clock.ts';
import { opsRoom } from '#test/fakes/house.ts';

const bot = { opsRoom, site: 'default' } as BotInfo;
let storage: Storage;
let clock: FakeClock;
beforeEach(() => {
  storage = openStorage({ file: ':memory:' });
  clock = new FakeClock();
});
afterEach(() => storage[Symbol.dispose]());
/** What the room is told by so many starts, so far apart; the room takes all at once. */
async function told(starts: number, everyMs: number, clean = false): Promise<number> {
  const { ledger } = storage;
  let count = 0;
  for (let n = 0; n < starts; n += 1) {
    noteStart(ledger, bot, clock);
    for (const row of ledger.dueOutbox(clock.now(), 10)) {
      ledger.settleOutbox(row.id, 'sent', { eventId: `$${row.id}` });
      count += 1;
    }
    if (clean) noteStop(ledger, clock);
    await clock.advance(everyMs);
  }
  return count;
}

test('D4: cut off every 10 s for an hour: told at most once in 10 min', async () => {
  expect(await told(360, 10_000)).toBe(6);
});

test('D4: three times is told, twice is not', async () => {
  expect(await told(3, 60_000)).toBe(0);
  expect(await told(1, 60_000)).toBe(1);
});

test('cut off now and then is not told, nor are stops that were asked for', async () => {
  expect(await told(20, 300_000)).toBe(0);
  expect(await told(50, 1000, true)).toBe(0);
});
