import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { MatrixEvent } from '#adapters/matrix/events.ts';
import { type Sink, SyncLoop, type SyncOptions } from '#adapters/matrix/sync.ts';
import { OpsError } from '#domain/errors.ts';
import { openStorage, type Storage } from '#storage/open.ts';
import { FakeClock } from '#test/fakes/clock.ts';
import { botUser, idOf, opsRoom, site } from '#test/fakes/house.ts';
import { FakeLog } from '#test/fakes/log.ts';
import { FakeSyncServer } from '#test/fakes/sync-server.ts';

let storage: Storage;
let clock: FakeClock;
let log: FakeLog;
let server: FakeSyncServer;
beforeEach(() => {
  storage = openStorage({ file: ':memory:' });
  clock = new FakeClock();
  log = new FakeLog();
  server = new FakeSyncServer({ room: opsRoom });
});
afterEach(() => storage[Symbol.dispose]());

let count = 0;
const text = (body: string, set: Partial<MatrixEvent> = {}): MatrixEvent => ({
  event_id: `$${(count += 1)}`,
  type: 'm.room.message',
  sender: idOf('alice'),
  origin_server_ts: 1,
  content: { msgtype: 'm.text', body },
  ...set,
});
const member = (name: string, membership: string): MatrixEvent => ({
  event_id: `$${(count += 1)}`,
  type: 'm.room.member',
  state_key: idOf(name),
  sender: idOf(name),
  content: { membership },
});
const open = (set: Partial<SyncOptions> = {}): SyncLoop =>
  new SyncLoop({
    request: server.request,
    site,
    bot: botUser,
    room: opsRoom,
    sink: storage.ledger,
    clock,
    log,
    wanted: () => true,
    taken: () => {},
    ...set,
  });
const never = new AbortController().signal;
const taken = (): string[] =>
  storage.ledger.newItems(1000).map(({ body }) => (body.kind === 'message' ? body.text : body.kind));
const position = (): string | undefined => storage.ledger.position('sync');

/** Taken its first look, it listens from here on. */
async function listening(set: Partial<SyncOptions> = {}): Promise<SyncLoop> {
  const loop = open(set);
  await loop.once(never);
  return loop;
}

describe('the first start', () => {
  test('takes nothing of what was said before, but knows who is there', async () => {
    server.say(
      member('alice', 'join'),
      member('bob', 'join'),
      text('!disable bob old'),
      member('bob', 'leave'),
      text('!old'),
    );
    await listening();
    expect(taken()).toEqual([]);
    expect(position()).toBe('5');
    expect(storage.ledger.roomFacts(opsRoom)?.joined).toEqual([idOf('alice')]);
    expect(server.asked[0]?.query['timeout']).toBe(0);
  });

  test('then what is said is taken, in its order', async () => {
    const loop = await listening();
    server.say(text('one'), text('two'), text('three'));
    await loop.once(never);
    expect(taken()).toEqual(['one', 'two', 'three']);
  });
});

describe('after downtime', () => {
  test('what did not fit into the answer is fetched, in its order, and not beyond the last position', async () => {
    server.say(text('before'));
    const loop = await listening();
    server.say(...Array.from({ length: 37 }, (_, n) => text(`nr ${n}`)));
    await loop.once(never);
    expect(taken()).toEqual(Array.from({ length: 37 }, (_, n) => `nr ${n}`));
    const pages = server.asked.filter(({ path }) => path.endsWith('/messages'));
    expect(pages.length).toBe(9);
    expect(pages.every(({ query }) => query['to'] === '1' && query['dir'] === 'b')).toBe(true);
  });

  test('more than can be read: what is left out is told by its time, and the newest is taken', async () => {
    const leftOut: number[] = [];
    server = new FakeSyncServer({ room: opsRoom, window: 1, page: 1 });
    const loop = await listening({ leftOut: (before) => leftOut.push(before) });
    server.say(...Array.from({ length: 150 }, (_, n) => text(`nr ${n}`, { origin_server_ts: 1000 + n })));
    await loop.once(never);
    expect(taken()).toEqual(Array.from({ length: 101 }, (_, n) => `nr ${n + 49}`));
    expect(leftOut).toEqual([1049]);
  });

  test('a new process goes on where the last one was', async () => {
    await listening();
    server.say(text('while away'));
    const again = open();
    await again.once(never);
    expect(taken()).toEqual(['while away']);
  });

  test('A3 whatever is said between answers of any size, each is taken once and in order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat({ max: 25 }), { maxLength: 6 }),
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 1, max: 5 }),
        async (bursts, window, page) => {
          using fresh = openStorage({ file: ':memory:' });
          const homeserver = new FakeSyncServer({ room: opsRoom, window, page });
          const loop = open({ request: homeserver.request, sink: fresh.ledger });
          homeserver.say(text('old'));
          await loop.once(never);
          const said: string[] = [];
          for (const burst of bursts.filter((size) => size > 0)) {
            const events = Array.from({ length: burst }, () => text(`nr ${count}`));
            said.push(...events.map((event) => String(event.content?.['body'])));
            homeserver.say(...events);
            await loop.once(never);
          }
          expect(fresh.ledger.newItems(1000).map(({ body }) => (body.kind === 'message' ? body.text : ''))).toEqual(
            said,
          );
        },
      ),
      { numRuns: 40 },
    );
  });

  test('what its sender took back meanwhile asks nothing; nobody else can take it back', async () => {
    const loop = await listening({ wanted: ({ body }) => body.kind === 'message' });
    const [edited, kept] = [text('!page oncall by mistake'), text('!page oncall')];
    const edit = (of: MatrixEvent, sender: string): MatrixEvent =>
      text('x', {
        sender,
        content: { msgtype: 'm.text', body: '* no', 'm.relates_to': { rel_type: 'm.replace', event_id: of.event_id } },
      });
    server.say(edited, kept, edit(edited, idOf('alice')), edit(kept, idOf('mallory')));
    await loop.once(never);
    expect(taken()).toEqual(['!page oncall']);
  });

  test('who came and went meanwhile is known', async () => {
    server.say(member('alice', 'join'), member('bob', 'join'));
    const loop = await listening();
    server.say(
      member('bob', 'leave'),
      member('carol', 'join'),
      member('bob', 'join'),
      member('bob', 'ban'),
      ...Array.from({ length: 20 }, () => text('x')),
    );
    await loop.once(never);
    expect(storage.ledger.roomFacts(opsRoom)?.joined.toSorted()).toEqual([idOf('alice'), idOf('carol')]);
  });
});

describe('A3 the position is never ahead', () => {
  const broken = (times: number): Sink => {
    let left = times;
    const { ledger } = storage;
    return {
      position: (stream) => ledger.position(stream),
      roomFacts: (room) => ledger.roomFacts(room),
      sealedItems: () => [],
      unseal: () => undefined,
      take: (batch) => {
        left -= 1;
        if (left >= 0) throw new OpsError('unavailable', 'The disk is full.');
        return ledger.take(batch);
      },
    };
  };

  test('what could not be stored is asked for again, all of it', async () => {
    await listening();
    server.say(text('one'), member('dora', 'join'));
    const loop = open({ sink: broken(2) });
    await expect(loop.once(never)).rejects.toThrow('The disk is full.');
    expect([taken(), position()]).toEqual([[], '0']);
    await expect(loop.once(never)).rejects.toThrow('The disk is full.');
    await loop.once(never);
    expect([taken(), position()]).toEqual([['one'], '2']);
    expect(storage.ledger.roomFacts(opsRoom)?.joined).toEqual([idOf('dora')]);
  });

  test('a page of the past that fails: nothing is taken, and all is asked for again', async () => {
    const loop = await listening();
    server.say(...Array.from({ length: 20 }, (_, n) => text(`nr ${n}`)));
    const sync = server.request;
    let failed = false;
    const flaky: SyncOptions['request'] = async (method, path, ...rest) => {
      if (path.endsWith('/messages') && !failed && server.asked.some((asked) => asked.path.endsWith('/messages'))) {
        failed = true;
        throw new OpsError('unavailable', 'no');
      }
      return sync(method, path, ...rest);
    };
    const again = open({ request: flaky });
    await expect(again.once(never)).rejects.toThrow('no');
    expect([taken(), position()]).toEqual([[], '0']);
    await again.once(never);
    expect(taken()).toHaveLength(20);
    expect(loop).toBeDefined();
  });

  test('the same event in two answers is taken once', async () => {
    const loop = await listening();
    const event = text('once');
    server.say(event);
    await loop.once(never);
    server.say(event);
    await loop.once(never);
    expect(taken()).toEqual(['once']);
  });

  test('nobody is woken for what was not stored, nor for what was known', async () => {
    await listening();
    const woken: number[] = [];
    const event = text('one');
    server.say(event);
    const loop = open({ sink: broken(1), taken: (items) => void woken.push(items.length) });
    await expect(loop.once(never)).rejects.toThrow('The disk is full.');
    expect(woken).toEqual([]);
    await loop.once(never);
    server.say(event);
    await loop.once(never);
    expect(woken).toEqual([1]);
  });
});

describe('what is taken', () => {
  test('only what could be for the bot, and never its own', async () => {
    const loop = await listening({ wanted: ({ body }) => body.kind !== 'message' || body.text.startsWith('!') });
    server.say(
      text('!mine', { sender: botUser }),
      text('chat'),
      text('!notice', { content: { msgtype: 'm.notice', body: '!notice' } }),
      text('!edited', {
        content: { msgtype: 'm.text', body: '* !edited', 'm.relates_to': { rel_type: 'm.replace', event_id: '$x' } },
      }),
      text('!gone', { content: {} }),
      text('!ping'),
    );
    await loop.once(never);
    expect(taken()).toEqual(['withdrawn', '!ping']);
  });

  test('other rooms are only shown', async () => {
    const probe = '!probe' as typeof opsRoom;
    const seen: unknown[] = [];
    const request: SyncOptions['request'] = async (method, path, query) => ({
      ...(await server.request(method, path, query)),
      rooms: { join: { [probe]: { timeline: { events: [text('beep')] } } } },
    });
    await listening();
    server.say(text('x'));
    const loop = open({ request, alsoRooms: () => [probe], seen: (event) => seen.push(event.content?.['body']) });
    await loop.once(never);
    expect(seen).toEqual(['beep']);
    expect(taken()).toEqual([]);
    expect(JSON.parse(String(server.asked.at(-1)?.query['filter']))).toMatchObject({
      room: { rooms: [opsRoom, probe] },
    });
  });

  test('an answer without the room moves the position only', async () => {
    const request: SyncOptions['request'] = async () => ({ next_batch: 'x1' });
    await open({ request }).once(never);
    expect(position()).toBe('x1');
  });
});

describe('the loop', () => {
  const settle = async (): Promise<void> => {
    for (let n = 0; n < 20; n += 1) await turn();
  };

  test('a homeserver that is down is asked again, more and more seldom, and nothing is lost', async () => {
    await listening();
    const stop = new AbortController();
    server.say(text('one'));
    server.fail(new OpsError('unavailable', 'The homeserver did not answer.'), 6);
    let recovered = 0;
    const loop = open({ recovered: () => void (recovered += 1) });
    const running = loop.run(stop.signal);
    await clock.advance(60_000);
    await settle();
    expect(taken()).toEqual(['one']);
    const waits = log.entries
      .filter(({ level }) => level === 'warn')
      .map(({ fields }) => (fields as { waitMs: number }).waitMs);
    expect(waits).toEqual([500, 1000, 2000, 4000, 5000, 5000]);
    expect(recovered).toBe(1);
    expect(loop.lastAnswerMs).toBeGreaterThan(0);
    stop.abort();
    await running;
  });

  test('a limit is obeyed', async () => {
    server.fail(new OpsError('limited', 'slow', { retryAfterMs: 9000 }));
    const stop = new AbortController();
    const running = open().run(stop.signal);
    await settle();
    await clock.advance(8999);
    expect(server.asked).toHaveLength(1);
    await clock.advance(1);
    await settle();
    expect(server.asked.length).toBeGreaterThan(1);
    stop.abort();
    await running;
  });

  test('stopped in the middle of a long poll, it ends at once and without a word', async () => {
    const stop = new AbortController();
    const running = open().run(stop.signal);
    await settle();
    stop.abort();
    await running;
    expect(log.entries).toEqual([]);
  });

  test('it never waits for a handler', async () => {
    const stop = new AbortController();
    const hangs = new Promise<never>(() => {});
    const running = open({ taken: () => void hangs.then(() => {}) }).run(stop.signal);
    await settle();
    for (let n = 0; n < 3; n += 1) {
      server.say(text(`nr ${n}`));
      await settle();
    }
    expect(taken()).toEqual(['nr 0', 'nr 1', 'nr 2']);
    stop.abort();
    await running;
  });

  test('other rooms to look at: the poll under way is left, and its answer is not lost', async () => {
    const stop = new AbortController();
    const rooms: Array<typeof opsRoom> = [];
    const loop = open({ alsoRooms: () => rooms });
    const running = loop.run(stop.signal);
    await settle();
    const before = server.asked.length;
    rooms.push('!probe' as typeof opsRoom);
    loop.refilter();
    await settle();
    expect(server.asked.length).toBe(before + 1);
    server.say(text('one'));
    await settle();
    expect(taken()).toEqual(['one']);
    stop.abort();
    await running;
  });
});
