import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { OpsError } from '#domain/errors.ts';
import { Sender } from '#engine/sender.ts';
import { openStorage, type Storage } from '#storage/open.ts';
import { FakeClock } from '#test/fakes/clock.ts';
import { FakeLog } from '#test/fakes/log.ts';
import { FakeOpsRoom } from '#test/fakes/ops-room.ts';
import { row } from '#test/fixtures/outbox-rows.ts';

// When the homeserver is back, nobody waits for the end of a back-off.
let storage: Storage;
let clock: FakeClock;
let room: FakeOpsRoom;
let sender: Sender;
let stop: AbortController;
let loop: Promise<void>;
beforeEach(() => {
  storage = openStorage({ file: ':memory:' });
  clock = new FakeClock(0);
  room = new FakeOpsRoom();
  sender = new Sender({ ledger: storage.ledger, room, clock, log: new FakeLog() });
  storage.ledger.onOutbox(() => sender.wake());
  stop = new AbortController();
  loop = sender.run(stop.signal);
});
afterEach(async () => {
  stop.abort();
  await loop;
  storage[Symbol.dispose]();
});
const settled = async (): Promise<void> => {
  for (let n = 0; n < 30; n += 1) await turn();
};

test('what waits since an outage is said at once, and what came meanwhile', async () => {
  room.refuse(new OpsError('unavailable', 'The homeserver did not answer.', { effect: 'unknown' }), 8);
  storage.ledger.commit({ at: 0, outbox: [row(1)] });
  for (let n = 0; n < 100; n += 1) {
    await clock.advance(1000);
    await settled();
  }
  expect(room.tries).toHaveLength(8);
  storage.ledger.commit({ at: clock.now(), outbox: [row(2, { lane: 'other' })] });
  await settled();
  expect(room.texts()).toEqual([]);
  sender.hasten();
  await settled();
  expect(room.texts()).toEqual(['text 1', 'text 2']);
});

test('what is limited waits on', async () => {
  room.refuse(new OpsError('limited', 'slow down', { retryAfterMs: 30_000 }));
  storage.ledger.commit({ at: 0, outbox: [row(1)] });
  await settled();
  sender.hasten();
  await settled();
  expect(room.tries).toHaveLength(1);
  await clock.advance(30_000);
  await settled();
  expect(room.texts()).toEqual(['text 1']);
});
