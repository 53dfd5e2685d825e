import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { OpsError } from '#domain/errors.ts';
import type { NewOutboxRow } from '#domain/outbox.ts';
import { Sender } from '#engine/sender.ts';
import { openStorage, type Storage } from '#storage/open.ts';
import { FakeClock } from '#test/fakes/clock.ts';
import { FakeLog } from '#test/fakes/log.ts';
import { FakeOpsRoom } from '#test/fakes/ops-room.ts';
import { row } from '#test/fixtures/outbox-rows.ts';

// What a homeserver does on a bad day, hour by hour.
const hourMs = 3_600_000;
let storage: Storage;
let clock: FakeClock;
let room: FakeOpsRoom;
let refused: string[];
let sender: Sender;
let stop: AbortController;
let loop: Promise<void>;
const begin = (sessionSince?: number): void => {
  sender = new Sender({
    ledger: storage.ledger,
    room,
    clock,
    log: new FakeLog(),
    refused: (_, { kind }) => refused.push(kind),
    ...(sessionSince === undefined ? {} : { sessionSince }),
  });
  storage.ledger.onOutbox(() => sender.wake());
  stop = new AbortController();
  loop = sender.run(stop.signal);
};
beforeEach(() => {
  storage = openStorage({ file: ':memory:' });
  clock = new FakeClock(0);
  room = new FakeOpsRoom();
  refused = [];
  begin();
});
afterEach(async () => {
  stop.abort();
  await loop;
  storage[Symbol.dispose]();
});
const put = (...rows: NewOutboxRow[]): void => storage.ledger.commit({ at: clock.now(), outbox: rows });
const settled = async (): Promise<void> => {
  for (let n = 0; n < 30; n += 1) await turn();
};
const pass = async (ms: number): Promise<void> => {
  await clock.advance(ms);
  await settled();
};
const down = (retryAfterMs?: number): OpsError =>
  new OpsError('unavailable', 'It did not answer.', {
    effect: 'unknown',
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });

describe('B7 rows first tried long ago', () => {
  /** Taken by the room, the answer lost; then the homeserver is away for that long. */
  const lostFor = async (ms: number): Promise<void> => {
    room.loseAnswer(1);
    room.refuse(down(), 10_000);
    put(row(1));
    await settled();
    await pass(ms);
    room.heal();
  };

  test('B7: under 23 h the same transaction is sent again, and nothing is looked for', async () => {
    await lostFor(22 * hourMs);
    await pass(120_000);
    expect([room.texts(), room.looks]).toEqual([['text 1'], 0]);
    expect(storage.ledger.outboxRow(1)).toMatchObject({ state: 'sent', eventId: '$e1' });
  });

  test('B7: over 23 h the room is looked at before it is sent again: the transaction is forgotten, the event is there', async () => {
    await lostFor(25 * hourMs);
    room.forget();
    await pass(120_000);
    expect(room.texts()).toEqual(['text 1']);
    expect(room.looks).toBeGreaterThan(0);
    expect(storage.ledger.outboxRow(1)).toMatchObject({ state: 'sent', eventId: '$e1' });
  });

  test('B7: what never got there is sent after the look', async () => {
    room.refuse(down(), 10_000);
    put(row(1));
    await pass(30 * hourMs);
    room.heal();
    room.forget();
    await pass(120_000);
    expect(room.texts()).toEqual(['text 1']);
  });

  test('B7: transactions of an earlier session are not known in a new one: looked for, however young', async () => {
    await lostFor(60_000);
    stop.abort();
    await loop;
    room.forget();
    begin(clock.now());
    await pass(120_000);
    expect([room.texts(), room.looks]).toEqual([['text 1'], 1]);
  });
});

describe('B6 limits and outages', () => {
  test('B6: a limit is not shortened by news of the homeserver, for any lane', async () => {
    room.refuse(down());
    put(row(1, { lane: 'a' }));
    await settled();
    room.limit(30_000);
    await pass(600);
    put(row(2, { lane: 'b' }));
    sender.hasten();
    await pass(29_000);
    sender.hasten();
    await settled();
    expect(room.tries).toHaveLength(2);
    await pass(2000);
    expect(room.texts().toSorted()).toEqual(['text 1', 'text 2']);
  });

  test('B6: never dropped for a limit, however often, and in order', async () => {
    room.limit(2000, 500);
    put(row(1), row(2), row(3));
    await pass(2 * hourMs);
    expect(room.texts()).toEqual(['text 1', 'text 2', 'text 3']);
  });

  test('B6: a limit of a year is tried again after an hour', async () => {
    room.limit(365 * 24 * hourMs);
    put(row(1));
    await pass(hourMs + 1000);
    expect(room.texts()).toEqual(['text 1']);
  });

  test('B6: an overloaded server that names a time is left alone for it', async () => {
    room.refuse(down(40_000));
    put(row(1));
    await pass(39_000);
    expect(room.tries).toHaveLength(1);
    await pass(2000);
    expect(room.texts()).toEqual(['text 1']);
  });

  test('B6: a refusal is told of, so that the room can be joined again', async () => {
    room.refuse(new OpsError('denied', 'kicked'));
    put(row(1));
    await settled();
    expect([refused, sender.reachable]).toEqual([['denied'], false]);
    sender.hasten();
    await settled();
    expect([room.texts(), sender.reachable]).toEqual([['text 1'], true]);
  });

  test('how old the oldest is, counts from its first try', async () => {
    room.refuse(down(), 10_000);
    put(row(1));
    await pass(10 * 60_000);
    expect(storage.ledger.outboxDepth()).toEqual({ pending: 1, oldestAt: 0 });
  });
});

describe('late', () => {
  const alert = (id: number): NewOutboxRow => row(id, { about: { kind: 'incident', id: 7 }, lane: `page:${id}` });

  test('B8: an alert that the room hears late says how late', async () => {
    room.refuse(down(), 10_000);
    put(alert(1), row(2));
    await pass(43 * 60_000);
    storage.ledger.noteFallback([1], clock.now());
    put(row(3, { about: { kind: 'incident', id: 7 }, lane: 'fresh', dueAt: clock.now() }));
    room.heal();
    sender.hasten();
    await settled();
    expect(room.texts().toSorted()).toEqual([
      'text 1 (delayed 43 min, sent another way meanwhile)',
      'text 2',
      'text 3',
    ]);
  });

  test('what was dropped while it was tried stays dropped, unless it got there', async () => {
    const gate = Promise.withResolvers<void>();
    room.gate = gate.promise;
    room.refuse(down());
    put(alert(1), alert(2));
    await settled();
    storage.ledger.settleOutbox(1, 'missed', {});
    storage.ledger.settleOutbox(2, 'missed', {});
    room.gate = undefined;
    gate.resolve();
    await pass(120_000);
    expect(storage.ledger.outboxRow(1)?.state).toBe('missed');
    expect(storage.ledger.outboxRow(2)?.state).toBe('sent');
    expect(storage.ledger.missedPages().map(({ id }) => id)).toEqual([1]);
  });
});

test('stopped while the homeserver hangs, it leaves it; the row stays with its transaction', async () => {
  room.gate = new Promise(() => {});
  put(row(1));
  await settled();
  stop.abort();
  let ended = false;
  void loop.then(() => (ended = true));
  await pass(2000);
  expect(ended).toBe(false);
  await pass(2000);
  expect(ended).toBe(true);
  expect(storage.ledger.outboxRow(1)).toMatchObject({ state: 'pending', attempts: 1 });
});
