import { expect, test } from 'vitest';
import { SyncLoop } from '#adapters/matrix/sync.ts';
import { parseUserId } from '#domain/accounts.ts';
import { OpsError } from '#domain/errors.ts';
import { parseRoomId } from '#domain/rooms.ts';
import { openStorage } from '#storage/open.ts';
import { FakeClock } from '#test/fakes/clock.ts';
import { FakeLog } from '#test/fakes/log.ts';

const room = parseRoomId('!ops:example.org');
const bot = parseUserId('@opsroom:example.org');

test('an answer to a message whose sending was not answered yet finds what it answers', async () => {
  using storage = openStorage({ file: ':memory:' });
  const { ledger } = storage;
  const clock = new FakeClock();
  const id = ledger.reserve('outbox');
  ledger.commit({
    at: clock.now(),
    outbox: [
      {
        id,
        site: 'default',
        about: { kind: 'prompt', id: 1 },
        lane: 'c:$command',
        collapse: undefined,
        room,
        thread: undefined,
        inReplyTo: undefined,
        replaces: undefined,
        content: { kind: 'message', rings: false, reply: { title: 'Sure?' }, mentions: [], mark: { kind: 'prompt' } },
        dueAt: clock.now(),
      },
    ],
  });
  ledger.noteAttempt(id, clock.now());
  const { txn } = ledger.outboxRow(id)!;
  const own = (event_id: string, sender: string, transaction: string) => ({
    event_id,
    sender,
    type: 'm.room.message',
    content: { msgtype: 'm.notice', body: 'Sure?' },
    unsigned: { transaction_id: transaction },
  });
  const events = [
    own('$stranger', '@eve:example.org', txn),
    own('$foreign', bot, `another.${id}`),
    own('$prompt', bot, txn),
    {
      event_id: '$yes',
      sender: '@alice:example.org',
      type: 'm.reaction',
      content: { 'm.relates_to': { rel_type: 'm.annotation', event_id: '$prompt', key: '✅' } },
    },
  ];
  const answers = [{ next_batch: 's1' }, { next_batch: 's2', rooms: { join: { [room]: { timeline: { events } } } } }];
  const knownWhenTaken: unknown[] = [];
  const sync = new SyncLoop({
    request: () => Promise.resolve(answers.shift()!),
    site: 'default',
    bot,
    room,
    sink: ledger,
    clock,
    log: new FakeLog(),
    wanted: () => true,
    taken: (items) => {
      for (const { body } of items) {
        if (body.kind === 'reaction') knownWhenTaken.push(ledger.outboxByEvent(body.on)?.id);
      }
    },
  });
  const never = new AbortController().signal;
  await sync.once(never);
  await sync.once(never);
  expect(knownWhenTaken).toEqual([id]);
  // It is still to be sent: the homeserver takes the same transaction once.
  expect(ledger.outboxRow(id)).toMatchObject({ state: 'pending', eventId: '$prompt' });
  expect(ledger.outboxByEvent('$stranger')).toBeUndefined();
});

test('a room that is watched from now on is asked for at once, not after the long poll', async () => {
  using storage = openStorage({ file: ':memory:' });
  const { ledger } = storage;
  const also: (typeof room)[] = [];
  const asked: string[][] = [];
  const sync = new SyncLoop({
    request: (_method, _path, query) => {
      const filter = JSON.parse(String(query?.['filter'])) as { room: { rooms: string[] } };
      asked.push(filter.room.rooms);
      return asked.length === 1 ? Promise.resolve({ next_batch: 's1' }) : new Promise(() => {});
    },
    site: 'default',
    bot,
    room,
    sink: ledger,
    clock: new FakeClock(),
    log: new FakeLog(),
    wanted: () => true,
    taken: () => {},
    alsoRooms: () => also,
  });
  const stop = new AbortController();
  const running = sync.run(stop.signal);
  await expect.poll(() => asked).toEqual([[room], [room]]);
  const probes = parseRoomId('!probes:example.org');
  also.push(probes);
  sync.refilter();
  await expect.poll(() => asked.at(-1)).toEqual([room, probes]);
  expect(ledger.position('sync')).toBe('s1');
  stop.abort();
  await running;
});

test('after an outage it asks for an answer at once, and says that the homeserver is back', async () => {
  using storage = openStorage({ file: ':memory:' });
  const clock = new FakeClock();
  const timeouts: unknown[] = [];
  const recoveries: number[] = [];
  const sync = new SyncLoop({
    request: (_method, _path, query) => {
      timeouts.push(query?.['timeout']);
      if (timeouts.length === 2) return Promise.reject(new OpsError('unavailable', 'The homeserver did not answer.'));
      return timeouts.length > 3 ? new Promise(() => {}) : Promise.resolve({ next_batch: `s${timeouts.length}` });
    },
    site: 'default',
    bot,
    room,
    sink: storage.ledger,
    clock,
    log: new FakeLog(),
    wanted: () => true,
    taken: () => {},
    recovered: () => recoveries.push(timeouts.length),
  });
  const stop = new AbortController();
  const running = sync.run(stop.signal);
  await expect.poll(() => timeouts.length).toBe(2);
  await clock.advance(500);
  await expect.poll(() => timeouts).toEqual([0, 30_000, 0, 30_000]);
  expect(recoveries).toEqual([3]);
  stop.abort();
  await running;
});

test('thrown out, what is known of the room is no news, also for the next process; back in, it is', async () => {
  using storage = openStorage({ file: ':memory:' });
  const member = (membership: string): object => ({ type: 'm.room.member', state_key: bot, content: { membership } });
  const create = { type: 'm.room.create', state_key: '', sender: bot, content: { room_version: '12' } };
  const inRoom = (membership: string): object => ({ [room]: { timeline: { events: [create, member(membership)] } } });
  const answers = [
    { next_batch: 's1', rooms: { join: inRoom('join') } },
    { next_batch: 's2' },
    { next_batch: 's3', rooms: { leave: inRoom('leave') } },
    { next_batch: 's4' },
    { next_batch: 's5' },
    { next_batch: 's6', rooms: { join: inRoom('join') } },
  ];
  const open = (): SyncLoop =>
    new SyncLoop({
      request: () => Promise.resolve(answers.shift()!),
      site: 'default',
      bot,
      room,
      sink: storage.ledger,
      clock: new FakeClock(),
      log: new FakeLog(),
      wanted: () => true,
      taken: () => {},
    });
  const never = new AbortController().signal;
  const first = open();
  const heard = [];
  for (let n = 0; n < 3; n += 1) {
    await first.once(never);
    heard.push(first.hears);
  }
  const second = open();
  for (let n = 0; n < 3; n += 1) {
    await second.once(never);
    heard.push(second.hears);
  }
  expect(heard).toEqual([false, true, false, false, false, true]);
});
