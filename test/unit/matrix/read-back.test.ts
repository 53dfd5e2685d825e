import { beforeEach, describe, expect, test } from 'vitest';
import type { MatrixConnection } from '#adapters/matrix/client.ts';
import type { MatrixEvent } from '#adapters/matrix/events.ts';
import { MatrixOpsRoom } from '#adapters/matrix/room.ts';
import { OpsError } from '#domain/errors.ts';
import type { OutboxRow } from '#domain/outbox.ts';
import { botUser } from '#test/fakes/house.ts';
import { message, row } from '#test/fixtures/outbox-rows.ts';

const dayMs = 86_400_000;
const now = 100 * dayMs;

/** A homeserver that has forgotten every transaction, with a room that can be read page by page. */
class Forgetful implements MatrixConnection {
  /** Oldest first. */
  readonly events: MatrixEvent[] = [];
  reads = 0;
  loses = 0;
  refuses: OpsError | undefined;

  request: MatrixConnection['request'] = async (method, path, query, body) => {
    await Promise.resolve();
    if (this.refuses) throw this.refuses;
    if (method === 'GET') return this.#messages(query ?? {});
    const id = `$e${this.events.length}`;
    this.events.push({
      event_id: id,
      sender: botUser,
      origin_server_ts: now,
      content: body as Record<string, unknown>,
      unsigned: { transaction_id: path.slice(path.lastIndexOf('/') + 1) },
    });
    if (this.loses > 0) {
      this.loses -= 1;
      throw new OpsError('unavailable', 'lost', { effect: 'unknown' });
    }
    return { event_id: id };
  };

  #messages(query: Record<string, string | number>): Record<string, unknown> {
    this.reads += 1;
    if (query['filter'] !== JSON.stringify({ senders: [botUser] })) throw new Error('reads what others said');
    const from = query['from'] === undefined ? this.events.length : Number(query['from']);
    const start = Math.max(0, from - 3);
    return { chunk: this.events.slice(start, from).toReversed(), ...(start > 0 ? { end: String(start) } : {}) };
  }

  upload = async (): Promise<string> => 'mxc://example.org/f';
}

const old = (id: number, files: string[] = []): OutboxRow => ({
  ...row(id, {
    content: message({ title: 'x', files: files.map((name) => ({ name, mime: 'text/plain', content: name })) }),
  }),
  txn: `t.${id}`,
  state: 'pending',
  attempts: 3,
  firstTryAt: now - dayMs,
  fallbackAt: undefined,
  eventId: undefined,
  error: undefined,
});
const none = (): undefined => undefined;
const signal = new AbortController().signal;
let server: Forgetful;
let room: MatrixOpsRoom;
beforeEach(() => {
  server = new Forgetful();
  room = new MatrixOpsRoom(server, botUser);
});
const fill = (count: number, at = now): void => {
  for (let n = 0; n < count; n += 1) {
    server.events.push({
      event_id: `$fill${server.events.length}`,
      sender: botUser,
      origin_server_ts: at,
      content: {},
    });
  }
};

describe('B7 read back', () => {
  test('B7: what is there already is not sent again, by the transaction that the homeserver shows', async () => {
    await room.send(old(1), none, signal);
    fill(10);
    expect(await room.send(old(1), none, signal, true)).toBe('$e0');
    expect(server.events).toHaveLength(11);
  });

  test('B7: or by the mark on the event itself, when the session is another', async () => {
    await room.send(old(1), none, signal);
    delete server.events[0]!.unsigned;
    expect(await room.send(old(1), none, signal, true)).toBe('$e0');
  });

  test('B7: what is not there is sent, after a look no further back than its first try', async () => {
    fill(90, now - 3 * dayMs);
    fill(3);
    await room.send(old(1), none, signal, true);
    expect(server.events).toHaveLength(94);
    expect(server.reads).toBe(2);
  });

  test('B7: a thousand old rows cost one look', async () => {
    for (let id = 1; id <= 20; id += 1) await room.send(old(id), none, signal);
    for (let id = 1; id <= 1000; id += 1) await room.send(old(id), none, signal, true);
    expect(server.events).toHaveLength(1000);
    expect(server.reads).toBe(7);
  });

  test('B7: sent after the look and the answer lost again: looked for again', async () => {
    server.loses = 1;
    await expect(room.send(old(1), none, signal, true)).rejects.toMatchObject({ kind: 'unavailable' });
    expect(await room.send(old(1), none, signal, true)).toBe('$e0');
    expect(server.events).toHaveLength(1);
  });

  test('B7: its files are looked for one by one: those that are missing are sent', async () => {
    await room.send(old(1, ['a', 'b']), none, signal);
    server.events.pop();
    await room.send(old(1, ['a', 'b']), none, signal, true);
    expect(server.events.map(({ content }) => content?.['org.opsroom.txn'])).toEqual(['t.1', 't.1.f0', 't.1.f1']);
  });

  test('B7: a room that cannot be read is not written to: it is tried later', async () => {
    server.refuses = new OpsError('unavailable', 'down');
    await expect(room.send(old(1), none, signal, true)).rejects.toMatchObject({ kind: 'unavailable' });
    expect(server.events).toEqual([]);
  });
});
