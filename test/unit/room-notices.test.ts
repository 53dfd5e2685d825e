import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { BotInfo } from '#domain/bot.ts';
import type { RoomFacts } from '#domain/inbox.ts';
import { RoomNotices, type RoomNoticesOptions } from '#src/room-notices.ts';
import { openStorage, type Storage } from '#storage/open.ts';
import { FakeClock } from '#test/fakes/clock.ts';
import { botUser, idOf, opsRoom, site, team } from '#test/fakes/house.ts';
import { FakeLog } from '#test/fakes/log.ts';

let storage: Storage;
let clock: FakeClock;
let position = 0;
beforeEach(() => {
  heard = [];
  clock = new FakeClock();
  storage = openStorage({ file: ':memory:', people: team });
});
afterEach(() => storage[Symbol.dispose]());

const bot = { user: botUser, opsRoom, site, timezone: 'UTC' } as BotInfo;
const open = (encryption: RoomNoticesOptions['encryption'] = 'auto'): RoomNotices =>
  new RoomNotices({ encryption, ledger: storage.ledger, operators: storage.operators, bot, clock, log: new FakeLog() });
const closed: RoomFacts = {
  room: opsRoom,
  joined: [botUser, idOf('alice')],
  encrypted: false,
  joinRule: 'invite',
  version: '12',
};
const know = (set: Partial<RoomFacts> = {}): void => {
  position += 1;
  storage.ledger.take({ stream: 'sync', position: String(position), items: [], rooms: [{ ...closed, ...set }] });
};
let heard: string[];
/** All of it, in order: a lane shows one at a time. */
function said(): string[] {
  for (let [row] = storage.ledger.dueOutbox(clock.now(), 1); row; [row] = storage.ledger.dueOutbox(clock.now(), 1)) {
    if (row.content.kind === 'message') heard.push(JSON.stringify(row.content.reply));
    storage.ledger.settleOutbox(row.id, 'sent', { eventId: `$${row.id}` });
  }
  return heard;
}

describe('an ops room', () => {
  test('for invited people with roles is no news, nor is one that nothing is known of', () => {
    const notices = open();
    notices.tick();
    know();
    notices.tick();
    expect(said()).toEqual([]);
  });

  test.each([
    [{ joinRule: 'public' }, 'anybody may join it'],
    [{ historyVisibility: 'world_readable' }, 'anybody may read it'],
    [{ joinRule: 'public', guestAccess: 'can_join' }, 'guests may join it'],
  ])('that is open by %j is said to be, once, and again when it is opened again', (set, words) => {
    know(set);
    open().tick();
    open().tick();
    expect(said()).toEqual([expect.stringContaining(words)]);
    know();
    const notices = open();
    notices.tick();
    know(set);
    notices.tick();
    expect(said()).toHaveLength(2);
  });

  test('a guest who has to be invited is none that comes by itself', () => {
    know({ guestAccess: 'can_join' });
    open().tick();
    expect(said()).toEqual([]);
  });

  test('with people who have no role names them at the start, not each time that one comes', () => {
    know({ joined: [botUser, idOf('alice'), idOf('zoe'), idOf('mallory')] });
    const notices = open();
    notices.tick();
    expect(said()).toEqual([expect.stringContaining('2 people without a role')]);
    expect(said()[0]).toContain(`${idOf('mallory')}, ${idOf('zoe')}`);
    know({ joined: [botUser, idOf('alice'), idOf('zoe'), idOf('mallory'), idOf('yuri')] });
    notices.tick();
    expect(said()).toHaveLength(1);
    open().tick();
    expect(said()[1]).toContain('3 people without a role');
  });

  test('and encryption that do not go together', () => {
    know();
    open('required').tick();
    expect(said()).toEqual([expect.stringContaining('matrix.encryption: required')]);
    know({ encrypted: true });
    open('off').tick();
    expect(said()[1]).toContain('Commands typed here are not heard');
    open('auto').tick();
    expect(said()).toHaveLength(2);
  });
});

test('an ops room that was upgraded: the owners hear that the bot is still in the old one, and how it comes along', () => {
  know({ replacedBy: '!new:example.org' });
  open().tick();
  open().tick();
  const [row] = storage.ledger.dueOutbox(clock.now(), 1);
  expect(row?.content).toMatchObject({ rings: true, mentions: [idOf('alice')] });
  expect(said()).toEqual([expect.stringContaining('set matrix.opsRoom in the settings to !new:example.org')]);
});
