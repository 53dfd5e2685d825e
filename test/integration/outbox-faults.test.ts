import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { connect } from '#adapters/matrix/client.ts';
import { MatrixOpsRoom } from '#adapters/matrix/room.ts';
import { SystemClock } from '#adapters/system/clock.ts';
import type { Clock } from '#domain/clock.ts';
import type { RoomId } from '#domain/rooms.ts';
import { Sender } from '#engine/sender.ts';
import { openStorage, type Storage } from '#storage/open.ts';
import { FakeLog } from '#test/fakes/log.ts';
import { FaultProxy, limited, matrixError, sends } from '#test/fixtures/fault-proxy.ts';
import { message, row } from '#test/fixtures/outbox-rows.ts';
import { installMs, OpsRoom } from '#test/ops-room.ts';

// The outbox against a real homeserver, over a way that breaks.
const events = Number(process.env['OPSROOM_EVENTS'] ?? 200);
const lanes = 8;
const hourMs = 3_600_000;
let world: OpsRoom;
let proxy: FaultProxy;
let storage: Storage;
let room: RoomId;
let stop: AbortController;
let sender: Sender;
let loop: Promise<void> = Promise.resolve();
let next = 1;

/** The machine's clock, some hours on. */
class LaterClock extends SystemClock {
  aheadMs = 0;
  override now(): number {
    return super.now() + this.aheadMs;
  }
}
let clock: LaterClock;

beforeAll(async () => {
  world = await OpsRoom.open({ parts: ['synapse'] });
  proxy = await FaultProxy.open(world.url);
  room = world.seeded.opsRoom.roomId as RoomId;
}, installMs);
afterAll(async () => {
  await proxy?.[Symbol.asyncDispose]();
  await world?.[Symbol.asyncDispose]();
});
beforeEach(() => {
  proxy.heal();
  storage = openStorage({ file: ':memory:' });
  clock = new LaterClock();
  begin(clock);
});
afterEach(async () => {
  await end();
  storage[Symbol.dispose]();
});

function begin(clock: Clock): void {
  const connection = connect({ homeserverUrl: proxy.url, accessToken: world.seeded.bot.token });
  sender = new Sender({
    ledger: storage.ledger,
    room: new MatrixOpsRoom(connection, world.seeded.bot.userId as never),
    clock,
    log: new FakeLog(),
  });
  storage.ledger.onOutbox(() => sender.wake());
  stop = new AbortController();
  loop = sender.run(stop.signal);
}
async function end(): Promise<void> {
  stop.abort();
  await loop;
}

/** So many messages in lanes; gives their texts. */
function put(count: number): string[] {
  const ids = Array.from({ length: count }, () => (next += 1));
  const texts = ids.map((id) => `fault ${id}`);
  const rows = ids.map((id, at) =>
    row(id, { room, lane: `lane ${id % lanes}`, content: message(texts[at]!), dueAt: 0 }),
  );
  storage.ledger.commit({ at: clock.now(), outbox: rows });
  return texts;
}
async function emptied(): Promise<void> {
  await expect.poll(() => storage.ledger.outboxDepth().pending, { timeout: 50_000, interval: 50 }).toBe(0);
}

/** What the bot said in the room, oldest first, of these texts. */
async function said(texts: readonly string[]): Promise<string[]> {
  const wanted = new Set(texts);
  await world.room.waitFor(({ body }) => body === texts.at(-1), { what: 'the last of them' });
  await expect.poll(() => new Set(world.room.events.map(({ body }) => body)).isSupersetOf(wanted)).toBe(true);
  return world.room.events.map(({ body }) => body).filter((body) => wanted.has(body));
}
const laneOf = (texts: readonly string[], lane: number): string[] =>
  texts.filter((text) => Number(text.split(' ')[1]) % lanes === lane);
async function expectEachOnce(texts: readonly string[]): Promise<void> {
  const heard = await said(texts);
  expect(heard.toSorted()).toEqual(texts.toSorted());
  for (let lane = 0; lane < lanes; lane += 1) expect(laneOf(heard, lane)).toEqual(laneOf(texts, lane));
}

test(
  `B7: the answer is lost after the server stored it, ${events} times: ${events} single events, in order`,
  async () => {
    const lost = new Set<string>();
    proxy.rule({
      // The first try of each.
      when: (passing) => sends(passing) && !lost.has(passing.url.pathname) && Boolean(lost.add(passing.url.pathname)),
      fault: { kind: 'lose' },
    });
    const texts = put(events);
    // Each lost answer holds all lanes for a moment; news of the homeserver ends that, as the sync does.
    const news = setInterval(() => sender.hasten(), 50);
    try {
      await expect.poll(() => storage.ledger.outboxDepth().pending, { timeout: events * 600, interval: 50 }).toBe(0);
    } finally {
      clearInterval(news);
    }
    expect(proxy.seen.filter(({ fault }) => fault === 'lose')).toHaveLength(events);
    await expectEachOnce(texts);
  },
  60_000 + events * 600,
);

test('B7: a day later Synapse has forgotten the transactions: read back, not said twice', async () => {
  proxy.rule({ when: sends, fault: { kind: 'lose' } });
  const stored = put(3);
  const inRoom = (): number => stored.filter((text) => world.room.events.some(({ body }) => body === text)).length;
  await expect.poll(inRoom, { timeout: 30_000 }).toBe(3);
  await end();
  // What Synapse does by itself after 24 h, and its cache after 30 min.
  await world.stack.sql('synapse', ['DELETE FROM event_txn_id_device_id']);
  await world.stack.synapse.stop();
  await world.stack.synapse.start();
  proxy.heal();
  clock.aheadMs = 25 * hourMs;
  const fresh = put(2);
  begin(clock);
  await emptied();
  await expectEachOnce([...stored, ...fresh]);
  expect(proxy.seen.filter(({ method, path }) => method === 'GET' && path.endsWith('/messages'))).not.toEqual([]);
});

describe('B6 what a homeserver answers on a bad day', () => {
  test('B6: limited again and again: the time it names is kept, nothing is dropped, in order', async () => {
    const times: number[] = [];
    let turn = 0;
    proxy.rule({
      when: (passing) => {
        if (!sends(passing)) return false;
        times.push(performance.now());
        turn += 1;
        return turn % 4 === 1 && turn < 20;
      },
      fault: limited(700),
    });
    const texts = put(24);
    await emptied();
    await expectEachOnce(texts);
    const refusedAt = proxy.seen.filter(({ status }) => status === 429).length;
    expect(refusedAt).toBeGreaterThan(0);
    // After the first refusal all that was in flight lands, and then nobody speaks until the time is over.
    const gaps = times.slice(1).map((at, index) => at - times[index]!);
    expect(Math.max(...gaps)).toBeGreaterThan(600);
  });

  test('B6: errors, cuts, halves, delays and silence: each once and in order', async () => {
    const kinds = [
      matrixError(500, 'M_UNKNOWN'),
      { kind: 'answer', status: 502 },
      { kind: 'cut' },
      { kind: 'half' },
      { kind: 'lose' },
      { kind: 'delay', ms: 200 },
    ] as const;
    for (const fault of kinds) proxy.rule({ when: sends, times: 2, fault });
    const texts = put(40);
    await emptied();
    await expectEachOnce(texts);
    expect(new Set(proxy.seen.map(({ fault }) => fault)).size).toBeGreaterThan(5);
  });

  test('B6: too large for this homeserver: it arrives cut, with the whole as a file', async () => {
    proxy.rule({
      when: (passing) => sends(passing) && passing.body.length > 9000,
      fault: matrixError(413, 'M_TOO_LARGE'),
    });
    const id = (next += 1);
    const lines = Array.from({ length: 600 }, (_, n) => `line ${n}`);
    const reply = { title: `large ${id}`, blocks: [{ kind: 'code' as const, text: lines.join('\n') }] };
    storage.ledger.commit({ at: clock.now(), outbox: [row(id, { room, content: message(reply) })] });
    const cut = await world.room.waitFor(({ body }) => body.startsWith(`large ${id}`), { what: 'the cut one' });
    expect(cut.body).toContain('The whole text is in the file below.');
    await world.room.waitFor(({ file, body }) => file !== undefined && body === 'answer.txt', { what: 'its file' });
    await emptied();
  });

  test('stopped while the homeserver swallows everything: within seconds, and nothing is lost', async () => {
    const heal = proxy.blackHole();
    const texts = put(3);
    await expect.poll(() => proxy.seen.some(({ fault }) => fault === 'hole')).toBe(true);
    const startMs = performance.now();
    await end();
    expect(performance.now() - startMs).toBeLessThan(15_000);
    heal();
    begin(clock);
    sender.hasten();
    await emptied();
    await expectEachOnce(texts);
  });
});
