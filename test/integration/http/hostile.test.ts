import { connect, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { healthRoutes } from '#adapters/http/health.ts';
import { hookRoutes } from '#adapters/http/hooks.ts';
import { defaultLimits, type HttpServer, lookEveryMs, openHttpServer } from '#adapters/http/server.ts';
import { SystemClock } from '#adapters/system/clock.ts';
import type { Signal } from '#domain/incidents.ts';
import { Secret } from '#domain/secret.ts';
import { FakeLog } from '#test/fakes/log.ts';

const secret = 'hook-secret-7c1b';
const log = new FakeLog();
let server: HttpServer;
let received: Signal[];

async function open(idleMs = defaultLimits.idleMs): Promise<void> {
  received = [];
  const receive = (signals: Signal[]): void => void received.push(...signals);
  const hooks = hookRoutes({ site: 'main', secret: new Secret(secret), clock: new SystemClock(), log, receive });
  const routes = new Map([...hooks, ...healthRoutes(() => [])]);
  const limits = { ...defaultLimits, idleMs };
  server = await openHttpServer({ listen: { host: '127.0.0.1', port: 0 }, routes, log, limits });
}
beforeEach(() => open());
afterEach(() => server[Symbol.asyncDispose]());

const alert = (name: string, set: object = {}): object => ({ status: 'firing', labels: { alertname: name, ...set } });
const post = (body: Buffer | string): Promise<Response> =>
  fetch(`${server.url}/hooks/alertmanager`, {
    method: 'POST',
    headers: { authorization: `Bearer ${secret}` },
    body: new Uint8Array(Buffer.from(body)),
  });
const firing = (): string[] => received.filter((signal) => signal.firing).map(({ name }) => name);

describe('what is in a post', () => {
  test('H2: a bad alert is told in the room and the others are stored; a good post ends that', async () => {
    const answer = await post(
      JSON.stringify({ alerts: [alert('A'), 7, alert('B', { x: 'y'.repeat(1_100_000) }), alert('C')] }),
    );
    expect([answer.status, await answer.text()]).toEqual([200, 'Stored, but for 2: alert 2: it is no object.\n']);
    expect(firing()).toEqual(['A', 'C', 'WebhookAlertUnreadable']);
    const told = received.find(({ name }) => name === 'WebhookAlertUnreadable');
    expect(told?.title).toBe(
      '2 alerts of a webhook on /hooks/alertmanager cannot be read: what it told is lost (alert 2: it is no object). The others were stored.',
    );
    received = [];
    expect((await post(JSON.stringify({ alerts: [alert('D')] }))).status).toBe(200);
    expect(received).toContainEqual(expect.objectContaining({ name: 'WebhookAlertUnreadable', firing: false }));
  });

  test('nothing that can be read: 400, and the room hears of it', async () => {
    expect((await post(JSON.stringify({ alerts: [7, null] }))).status).toBe(400);
    expect(firing()).toEqual(['WebhookUnreadable']);
  });

  test('10 MB are taken, packed or not', async () => {
    const text = JSON.stringify({
      alerts: Array.from({ length: 10_000 }, (_, at) => alert(`A${at}`, { x: 'y'.repeat(1000) })),
    });
    expect(text.length).toBeGreaterThan(10_000_000);
    expect((await post(text)).status).toBe(200);
    expect((await post(gzipSync(text))).status).toBe(200);
    expect(firing()).toHaveLength(20_000);
  });

  test('more than 32 MB, or so much when unpacked: 413, and the room hears of it', async () => {
    expect((await post(Buffer.alloc(33 * 1024 ** 2, 'x'))).status).toBe(413);
    expect(firing()).toEqual(['WebhookTooLarge']);
    received = [];
    expect((await post(gzipSync(Buffer.alloc(40 * 1024 ** 2)))).status).toBe(413);
    expect(firing()).toEqual(['WebhookTooLarge']);
  });
});

const headers = `POST /hooks/alertmanager HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${secret}\r\n`;
/** Ways of keeping a connection open: what is sent at first, and then again and again. */
const dawdlers: Array<[string, string]> = [
  ['', ''],
  ['POST /hooks/alertmanager HTTP/1.1\r\n', 'x: y\r\n'],
  [`${headers}content-length: 100000\r\n\r\n`, ' '],
  [`${headers}transfer-encoding: chunked\r\n\r\n`, '1\r\n \r\n'],
];

describe('H2: slow and idle connections', () => {
  test('1,000 of them are cut off, and others are answered meanwhile', { timeout: 120_000 }, async () => {
    await server[Symbol.asyncDispose]();
    await open(3000);
    const sockets: Socket[] = [];
    let open_ = 0;
    const begunMs = performance.now();
    let lastMs = 0;
    await using closing = new AsyncDisposableStack();
    closing.defer(() => sockets.forEach((socket) => socket.destroy()));
    for (let at = 0; at < 1000; at += 1) {
      const socket = connect(server.port, '127.0.0.1');
      open_ += 1;
      socket.on('connect', () => socket.write(dawdlers[at % dawdlers.length]![0]));
      socket.on('data', () => {});
      socket.on('error', () => {});
      socket.on('close', () => {
        open_ -= 1;
        lastMs = performance.now();
      });
      sockets.push(socket);
    }
    const drip = setInterval(() => {
      for (const [at, socket] of sockets.entries())
        if (socket.writable) socket.write(dawdlers[at % dawdlers.length]![1]);
    }, 250);
    closing.defer(() => clearInterval(drip));
    let answered = 0;
    const deadlineMs = begunMs + 60_000;
    while (open_ > 0 && performance.now() < deadlineMs) {
      expect((await post(JSON.stringify({ alerts: [alert(`Live${answered}`)] }))).status).toBe(200);
      answered += 1;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    console.info(
      `1,000 dawdlers gone after ${Math.round(lastMs - begunMs)} ms at a limit of 3,000; ${answered} others answered`,
    );
    expect(open_).toBe(0);
    expect(answered).toBeGreaterThan(3);
  });

  test('the limit in use, and how often the clock is looked at, stay below 10 s', () => {
    expect(defaultLimits.idleMs + lookEveryMs).toBeLessThan(10_000);
  });
});
