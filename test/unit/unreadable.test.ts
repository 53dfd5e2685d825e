import { afterEach, beforeEach, expect, test } from 'vitest';
import type { NewInboxItem } from '#domain/inbox.ts';
import { tellUnreadable } from '#src/unreadable.ts';
import { openStorage, type Storage } from '#storage/open.ts';
import { FakeClock } from '#test/fakes/clock.ts';
import { botUser, idOf, opsRoom, site } from '#test/fakes/house.ts';
import type { BotInfo } from '#domain/bot.ts';

let storage: Storage;
let clock: FakeClock;
const bot = { user: botUser, opsRoom, site } as BotInfo;
beforeEach(() => {
  storage = openStorage({ file: ':memory:' });
  clock = new FakeClock();
});
afterEach(() => storage[Symbol.dispose]());

let count = 0;
function sealed(name: string, why = 'MissingRoomKey'): string {
  const key = `$${(count += 1)}`;
  const item: NewInboxItem = {
    source: 'matrix',
    key,
    site,
    room: opsRoom,
    thread: undefined,
    sender: idOf(name),
    device: undefined,
    proof: 'unsigned-device',
    body: { kind: 'sealed', session: 's', why, event: {} },
    sentAt: clock.now(),
    takenAt: clock.now(),
  };
  const joined = [idOf('alice'), idOf('bob'), botUser];
  const facts = { room: opsRoom, joined, encrypted: true, joinRule: undefined, version: '12' };
  storage.ledger.take({ stream: 'sync', position: key, items: [], sealed: [item], rooms: [facts] });
  return key;
}
const answers = (): Array<{ to: string | undefined; text: string }> => {
  tellUnreadable(storage.ledger, bot, clock);
  return storage.ledger
    .sealedItems()
    .flatMap(({ id }) =>
      storage.ledger
        .outboxAbout({ kind: 'inbox', id })
        .map((row) => ({ to: row.inReplyTo, text: JSON.stringify(row.content) })),
    );
};

test('an unreadable message is answered after half a minute, in its thread, with what helps', async () => {
  const event = sealed('alice', 'withheld:m.unverified');
  await clock.advance(29_000);
  expect(answers()).toEqual([]);
  await clock.advance(1000);
  expect(answers()).toEqual([{ to: event, text: expect.stringContaining('verify me') }]);
});

test('once an hour for each sender, and not never', async () => {
  sealed('alice');
  sealed('alice');
  sealed('bob');
  await clock.advance(30_000);
  expect(answers()).toHaveLength(2);
  await clock.advance(600_000);
  sealed('alice');
  await clock.advance(30_000);
  expect(answers()).toHaveLength(2);
  await clock.advance(3_600_000);
  expect(answers()).toHaveLength(3);
});

test('what is in them, which a stranger may have made large, is read only for an answer', async () => {
  for (let n = 0; n < 20; n += 1) sealed('alice');
  const read: string[] = [];
  const { ledger } = storage;
  const noted = new Proxy(ledger, {
    get: (of, name) => {
      if (name === 'sealedItems' || name === 'inboxItem') read.push(name);
      return Reflect.get(of, name) as unknown;
    },
  });
  for (let seconds = 0; seconds < 60; seconds += 1) {
    tellUnreadable(noted, bot, clock);
    await clock.advance(1000);
  }
  expect(read).toEqual(['inboxItem']);
});

test('whose key came in time hears nothing of it, and neither does a stranger', async () => {
  sealed('alice');
  sealed('eve');
  const [first] = storage.ledger.sealedItems();
  storage.ledger.unseal(first!.id, undefined);
  await clock.advance(60_000);
  expect(answers()).toEqual([]);
});
