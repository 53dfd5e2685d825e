import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FaultProxy, limited, matrixError, sends } from '#test/fixtures/fault-proxy.ts';

// The proxy breaks what it is told to break, and nothing else.
let server: Server;
let asked: Array<{ method: string; url: string; body: string }>;
let reply: (url: string) => unknown;
let gate: Promise<void> | undefined;
let proxy: FaultProxy;
beforeEach(async () => {
  asked = [];
  reply = (url) => ({ url });
  gate = undefined;
  server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.on('end', () => {
      asked.push({ method: request.method ?? '', url: request.url ?? '', body });
      void (gate ?? Promise.resolve()).then(() => {
        response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(reply(request.url ?? '')));
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  proxy = await FaultProxy.open(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
afterEach(async () => {
  await proxy[Symbol.asyncDispose]();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const path = '/_matrix/client/v3/rooms/!r/send/m.room.message/t1';
const put = (signal?: AbortSignal): Promise<Response> =>
  fetch(`${proxy.url}${path}`, { method: 'PUT', body: '{"body":"ä"}', ...(signal && { signal }) });
const soonMs = 700;
/** Ends well, in an error, or not at all until it is given up. */
async function fate(work: (signal: AbortSignal) => Promise<Response>, giveUpMs = 20_000): Promise<string> {
  try {
    const answer = await work(AbortSignal.timeout(giveUpMs));
    await answer.text();
    return String(answer.status);
  } catch (error) {
    return (error as Error).name === 'TimeoutError' ? 'silence' : 'cut';
  }
}
const sync = async (query = ''): Promise<Record<string, unknown>> =>
  (await (await fetch(`${proxy.url}/_matrix/client/v3/sync?${query}`)).json()) as Record<string, unknown>;

test('passes all on as it is', async () => {
  const answer = await put();
  expect(await answer.json()).toEqual({ url: path });
  expect(asked).toEqual([{ method: 'PUT', url: path, body: '{"body":"ä"}' }]);
  expect(proxy.seen).toEqual([{ method: 'PUT', path, fault: undefined, status: 200 }]);
});

describe('what becomes of a request', () => {
  test.each([
    ['lose', 'cut', 1],
    ['half', 'cut', 1],
    ['cut', 'cut', 0],
    ['hole', 'silence', 0],
    ['open', 'silence', 1],
  ] as const)('%s: %s, and the server was asked %i times', async (kind, seen, times) => {
    proxy.rule({ when: sends, times: 1, fault: { kind } });
    expect(await fate((signal) => put(signal), seen === 'silence' ? soonMs : undefined)).toBe(seen);
    await expect.poll(() => asked.length).toBe(times);
    expect(await fate((signal) => put(signal))).toBe('200');
  });

  test('an answer that is lost was stored first, even when the server is slow', async () => {
    const slow = Promise.withResolvers<void>();
    gate = slow.promise;
    proxy.rule({ times: 1, fault: { kind: 'lose' } });
    const lost = fate(() => put());
    await expect.poll(() => asked.length).toBe(1);
    slow.resolve();
    expect(await lost).toBe('cut');
  });

  test('a limit and an error are answered without the server', async () => {
    proxy.rule({ times: 1, fault: limited(1500) });
    proxy.rule({ times: 1, fault: matrixError(403, 'M_FORBIDDEN') });
    const first = await put();
    expect([first.status, first.headers.get('retry-after'), await first.json()]).toEqual([
      429,
      '2',
      expect.objectContaining({ errcode: 'M_LIMIT_EXCEEDED', retry_after_ms: 1500 }),
    ]);
    expect((await put()).status).toBe(403);
    expect(asked).toEqual([]);
  });

  test('late', async () => {
    proxy.rule({ fault: { kind: 'delay', ms: 300 } });
    const startMs = performance.now();
    expect((await put()).status).toBe(200);
    expect(performance.now() - startMs).toBeGreaterThan(290);
  });

  test('a black hole swallows the answers under way too, and everything until it is healed', async () => {
    const slow = Promise.withResolvers<void>();
    gate = slow.promise;
    const underWay = fate((signal) => put(signal), 3 * soonMs);
    await expect.poll(() => asked.length).toBe(1);
    const heal = proxy.blackHole();
    slow.resolve();
    expect([await underWay, await fate((signal) => put(signal), soonMs)]).toEqual(['silence', 'silence']);
    heal();
    expect(await fate((signal) => put(signal))).toBe('200');
  });

  test('down, and up again on the same port', async () => {
    const { url } = proxy;
    await proxy.down();
    expect(await fate((signal) => put(signal))).toBe('cut');
    await proxy.up();
    expect([proxy.url, await fate((signal) => put(signal))]).toEqual([url, '200']);
  });
});

describe('syncs', () => {
  const timeline = (...ids: string[]): unknown => ({
    next_batch: 'n',
    rooms: { join: { '!r': { timeline: { events: ids.map((id) => ({ event_id: id })) } } } },
  });
  const events = (answer: Record<string, unknown>): string[] => {
    const rooms = answer['rooms'] as { join: Record<string, { timeline: { events: Array<{ event_id: string }> } }> };
    return rooms.join['!r']!.timeline.events.map(({ event_id }) => event_id);
  };

  test('to-device messages are kept back until they are let go', async () => {
    let to: unknown[] = [{ type: 'key', n: 1 }];
    reply = () => ({ next_batch: 'n', to_device: { events: to } });
    proxy.syncs.holdToDevice();
    expect((await sync('timeout=30000'))['to_device']).toEqual({ events: [] });
    expect(asked[0]?.url).toContain('timeout=500');
    expect(proxy.syncs.held).toBe(1);
    to = [{ type: 'key', n: 2 }];
    proxy.syncs.release();
    const after = await sync('timeout=30000');
    expect(after['to_device']).toEqual({
      events: [
        { type: 'key', n: 1 },
        { type: 'key', n: 2 },
      ],
    });
    expect(asked[1]?.url).toContain('timeout=0');
  });

  test('only those that are meant are kept back', async () => {
    reply = () => ({ next_batch: 'n', to_device: { events: [{ type: 'a' }, { type: 'b' }] } });
    proxy.syncs.holdToDevice(({ type }) => type === 'a');
    expect((await sync())['to_device']).toEqual({ events: [{ type: 'b' }] });
  });

  test('repeated: twice in one answer, and again in the next', async () => {
    proxy.syncs.repeat();
    reply = () => timeline('$1');
    expect(events(await sync())).toEqual(['$1', '$1']);
    reply = () => timeline('$2');
    expect(events(await sync())).toEqual(['$1', '$2', '$2']);
    proxy.syncs.repeat(false);
    expect(events(await sync())).toEqual(['$2']);
  });

  test('limited: the server itself is asked for less', async () => {
    proxy.syncs.limit(3);
    await sync(`filter=${encodeURIComponent('{"room":{"rooms":["!r"],"timeline":{"limit":100,"types":["x"]}}}')}`);
    const asks = new URL(asked[0]!.url, 'http://x').searchParams.get('filter');
    expect(JSON.parse(asks ?? '')).toEqual({ room: { rooms: ['!r'], timeline: { limit: 3, types: ['x'] } } });
  });
});
