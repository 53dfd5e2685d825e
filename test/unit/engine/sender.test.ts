import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { OpsError } from '#domain/errors.ts';
import type { Ledger } from '#domain/ledger.ts';
import type { NewOutboxRow } from '#domain/outbox.ts';
import { Sender } from '#engine/sender.ts';
import { openStorage, type Storage } from '#storage/open.ts';
import { FakeClock } from '#test/fakes/clock.ts';
import { FakeLog } from '#test/fakes/log.ts';
import { FakeOpsRoom } from '#test/fakes/ops-room.ts';
import { Power } from '#test/fakes/power.ts';
import { row } from '#test/fixtures/outbox-rows.ts';

let storage: Storage;
let ledger: Ledger;
let power: Power;
let clock: FakeClock;
let room: FakeOpsRoom;
let log: FakeLog;
let sender: Sender;
let stop: AbortController;
let loop: Promise<void>;

beforeEach(() => {
  storage = openStorage({ file: ':memory:' });
  power = new Power();
  ledger = power.memory(storage.ledger, new Set(['commit', 'noteAttempt', 'settleOutbox']));
  clock = new FakeClock(0);
  room = new FakeOpsRoom();
  log = new FakeLog();
  sender = new Sender({ ledger, room, clock, log });
  storage.ledger.onOutbox(() => sender.wake());
  stop = new AbortController();
  loop = sender.run(stop.signal);
});
afterEach(async () => {
  stop.abort();
  await loop;
  storage[Symbol.dispose]();
});

const put = (...rows: NewOutboxRow[]): void => storage.ledger.commit({ at: 0, outbox: rows });
const settled = async (): Promise<void> => {
  for (let n = 0; n < 30; n += 1) await turn();
};
const down = (): OpsError => new OpsError('unavailable', 'The homeserver did not answer.', { effect: 'unknown' });

describe('order', () => {
  test('within a lane as they were put, one at a time', async () => {
    put(...Array.from({ length: 20 }, (_, n) => row(n + 1)));
    await settled();
    expect(room.texts()).toEqual(Array.from({ length: 20 }, (_, n) => `text ${n + 1}`));
  });

  test('a row that fails for good lets the next of its lane go, and is told of', async () => {
    room.refuse(new OpsError('invalid', 'too large'));
    put(row(1), row(2));
    await settled();
    expect(room.texts()).toEqual(['text 2']);
    expect(ledger.outboxRow(1)).toMatchObject({ state: 'failed', error: 'too large', attempts: 1 });
    expect(log.messages('error')).toEqual(['could not be said']);
  });

  test('a row that must be tried again holds its lane', async () => {
    room.refuse(down());
    put(row(1), row(2));
    await settled();
    expect(room.texts()).toEqual([]);
    await clock.advance(1000);
    await settled();
    expect(room.texts()).toEqual(['text 1', 'text 2']);
  });

  test('at most eight lanes at a time, and a lane that hangs does not hold the others', async () => {
    const gate = Promise.withResolvers<void>();
    room.gate = gate.promise;
    put(...Array.from({ length: 12 }, (_, n) => row(n + 1, { lane: `lane ${n}` })));
    await settled();
    expect(storage.ledger.dueOutbox(0, 100).filter(({ attempts }) => attempts === 1)).toHaveLength(8);
    room.gate = undefined;
    gate.resolve();
    await settled();
    expect(room.texts()).toHaveLength(12);
  });

  test('a page goes before all that waits', async () => {
    room.limit(5000);
    put(row(1));
    await settled();
    put(
      ...Array.from({ length: 30 }, (_, n) => row(n + 2, { lane: `c:${n}` })),
      row(99, { lane: 'page:a1', content: 'PAGE' }),
    );
    await clock.advance(5000);
    await settled();
    expect(room.texts()[0]).toBe('PAGE');
    expect(room.texts()).toHaveLength(32);
  });

  test('what is not due yet waits for its time', async () => {
    put(row(1, { dueAt: 60_000 }), row(2, { lane: 'other' }));
    await settled();
    expect(room.texts()).toEqual(['text 2']);
    await clock.advance(60_000);
    await settled();
    expect(room.texts()).toEqual(['text 2', 'text 1']);
  });
});

describe('A16 the limits of the room', () => {
  test('a limit holds every lane for as long as it says, and not longer', async () => {
    room.limit(7000);
    put(row(1, { lane: 'a' }));
    await settled();
    put(row(2, { lane: 'b' }), row(3, { lane: 'page:a1' }));
    await clock.advance(6999);
    await settled();
    expect(room.tries).toHaveLength(1);
    await clock.advance(1);
    await settled();
    expect(room.texts().toSorted()).toEqual(['text 1', 'text 2', 'text 3']);
  });

  test('while it waits, progress collapses into one row', async () => {
    room.limit(10_000);
    put(row(1, { content: 'progress 1', collapse: 'p' }));
    await settled();
    for (let n = 2; n < 50; n += 1) put(row(n, { content: `progress ${n}`, collapse: 'p', replaces: 1 }));
    put(row(50, { content: 'done', collapse: 'p', replaces: 1 }));
    await clock.advance(10_000);
    await settled();
    expect(room.events.map(({ kind, text }) => [kind, text])).toEqual([['message', 'done']]);
  });

  test('a limit without a time backs off by itself', async () => {
    room.refuse(new OpsError('limited', 'slow down'), 3);
    put(row(1));
    for (let n = 0; n < 20; n += 1) {
      await clock.advance(500);
      await settled();
    }
    expect(room.texts()).toEqual(['text 1']);
    expect(room.tries).toHaveLength(4);
  });
});

describe('A16 tried again', () => {
  test('always with the same transaction, so an answer that was lost is one event', async () => {
    room.loseAnswer(3);
    put(row(1));
    await clock.advance(60_000);
    await settled();
    expect(room.events).toHaveLength(1);
    expect(new Set(room.tries.map(({ txn }) => txn)).size).toBe(1);
    expect(room.tries).toHaveLength(4);
    expect(ledger.outboxRow(1)).toMatchObject({ state: 'sent', eventId: '$e1', attempts: 4 });
  });

  test('backing off up to a minute', async () => {
    room.refuse(down(), 100);
    put(row(1));
    await clock.advance(600_000);
    await settled();
    const tries = room.tries.length;
    expect(tries).toBeGreaterThan(10);
    expect(tries).toBeLessThan(25);
  });

  test.each(['misconfigured', 'denied'] as const)(
    'what a person can mend (%s) is kept, and said when it is mended',
    async (kind) => {
      room.refuse(new OpsError(kind, 'The token is dead.'), 5);
      put(row(1));
      await clock.advance(300_000);
      await settled();
      expect(room.texts()).toEqual(['text 1']);
    },
  );

  test('being refused in one room holds only that lane', async () => {
    room.refuse(new OpsError('denied', 'kicked'));
    put(row(1, { lane: 'a' }));
    await settled();
    put(row(2, { lane: 'b' }));
    await settled();
    expect(room.texts()).toEqual(['text 2']);
  });

  test('an edit, a reaction and its end refer to the event that the row became', async () => {
    put(
      row(1),
      row(2, { content: 'new text', replaces: 1 }),
      row(3, { content: { kind: 'reaction', emoji: '⏳', on: { outbox: 1 } } }),
    );
    await settled();
    expect(room.messages()).toMatchObject([{ id: '$e1', text: 'new text' }]);
    expect(room.reactionsOn('$e1')).toEqual(['⏳']);
    put(row(4, { content: { kind: 'redaction', of: { outbox: 3 } } }));
    await settled();
    expect(room.reactionsOn('$e1')).toEqual([]);
  });

  test('an edit of what was never said says it', async () => {
    room.refuse(new OpsError('invalid', 'too large'));
    put(row(1));
    await settled();
    put(row(2, { content: 'the result', replaces: 1 }));
    await settled();
    expect(room.texts()).toEqual(['the result']);
  });
});

describe('a memory that takes nothing', () => {
  test('is not the end: it is said once there is room again, once', async () => {
    power.refuses = new Error('SQLITE_FULL');
    put(row(1));
    await settled();
    await clock.advance(5000);
    expect(room.events).toEqual([]);
    expect(room.tries).toEqual([]);
    power.refuses = undefined;
    await clock.advance(5000);
    await settled();
    expect(room.texts()).toEqual(['text 1']);
  });

  test('filled up while the room took it: said again under the same transaction', async () => {
    const gate = Promise.withResolvers<void>();
    room.gate = gate.promise;
    put(row(1));
    await settled();
    power.refuses = new Error('SQLITE_FULL');
    room.gate = undefined;
    gate.resolve();
    await settled();
    power.refuses = undefined;
    await clock.advance(5000);
    await settled();
    expect(room.events).toHaveLength(1);
    expect(ledger.outboxRow(1)).toMatchObject({ state: 'sent', eventId: '$e1' });
  });

  test('it does not spin meanwhile', async () => {
    power.refuses = new Error('SQLITE_FULL');
    put(row(1));
    await clock.advance(10_000);
    await settled();
    expect(log.entries.length).toBeLessThan(30);
  });
});

test('stopped, it ends what is in flight and begins nothing', async () => {
  const gate = Promise.withResolvers<void>();
  room.gate = gate.promise;
  put(row(1), row(2));
  await settled();
  stop.abort();
  gate.resolve();
  await loop;
  expect(room.texts()).toEqual(['text 1']);
  expect(ledger.outboxRow(1)?.state).toBe('sent');
  expect(ledger.outboxRow(2)).toMatchObject({ state: 'pending', attempts: 0 });
});
