import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { roundTrip } from '#adapters/matrix/round-trip.ts';
import { MetricsPages } from '#adapters/prometheus/scrape.ts';
import { TlsCertificates, tlsHosts } from '#adapters/system/certificates.ts';
import { SystemClock } from '#adapters/system/clock.ts';
import { LocalDisks } from '#adapters/system/disks.ts';
import { endpoint } from '#adapters/system/endpoint.ts';
import { FakeClock } from '#test/fakes/clock.ts';

const clock = new SystemClock();
const run = promisify(execFile);
const dayMs = 86_400_000;
let all: AsyncDisposableStack;
beforeEach(() => void (all = new AsyncDisposableStack()));
afterEach(() => all.disposeAsync());

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  all.defer(() => new Promise<void>((resolve) => void server.close(() => resolve())));
  return (server.address() as AddressInfo).port;
}
const serve = async (answer: RequestListener): Promise<string> => {
  const server = createServer(answer);
  all.defer(() => server.closeAllConnections());
  return `http://127.0.0.1:${await listen(server)}`;
};
/** A port that nothing listens on. */
async function freePort(): Promise<number> {
  const server = createServer();
  const port = await new Promise<number>(
    (resolve) => void server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)),
  );
  await new Promise<void>((resolve) => void server.close(() => resolve()));
  return port;
}
const soon = (ms: number) => AbortSignal.timeout(ms);

describe('an endpoint', () => {
  test('tells an answer of any kind from a refusal and from silence', async () => {
    const url = await serve((request, response) => {
      if (request.url === '/406') response.writeHead(406).end('Not Ready');
      else if (request.url === '/moved') response.writeHead(302, { location: '/' }).end();
      else if (request.url !== '/silent') response.end('OK');
    });
    expect(await endpoint(`${url}/`, clock)(soon(2000))).toMatchObject({ kind: 'answered', status: 200, text: 'OK' });
    expect(await endpoint(`${url}/406`, clock)(soon(2000))).toMatchObject({ status: 406 });
    expect(await endpoint(`${url}/moved`, clock)(soon(2000))).toMatchObject({ status: 302 });
    expect(await endpoint(`http://127.0.0.1:${await freePort()}/`, clock)(soon(2000))).toMatchObject({
      kind: 'refused',
    });
    await expect(endpoint(`${url}/silent`, clock)(soon(200))).rejects.toMatchObject({ kind: 'unavailable' });
    await expect(endpoint('http://no.such.host.invalid/', clock)(soon(5000))).rejects.toThrow(
      /no.such.host.invalid gives no answer/,
    );
  });
});

describe('a metrics page', () => {
  test('is asked for in the old text format, with its login, once for those who come together', async () => {
    const asked: IncomingMessage[] = [];
    const url = await serve((request, response) => {
      asked.push(request);
      response.end(`# TYPE up gauge\nup ${asked.length}\nother 5\n`);
    });
    const pages = new MetricsPages({ urls: [`${url}/metrics`], clock, login: 'u:p' });
    const both = await Promise.all([pages.scrape(['up'], soon(2000)), pages.scrape(['other'], soon(2000))]);
    expect(both.map(([scrape]) => [...(scrape?.families.keys() ?? [])])).toEqual([['up'], ['other']]);
    expect(asked).toHaveLength(1);
    expect(asked[0]?.headers).toMatchObject({
      accept: 'text/plain;version=0.0.4',
      authorization: `Basic ${btoa('u:p')}`,
    });
    const [third] = await pages.scrape(['up'], soon(2000));
    expect(third?.families.get('up')?.samples[0]?.value).toBe(2);
  });

  test('that is missing, refused or no metrics is an error, not an empty page; the next try is a new one', async () => {
    let status = 503;
    const url = await serve((_request, response) => void response.writeHead(status).end('<html>'));
    const pages = new MetricsPages({ urls: [url], clock });
    await expect(pages.scrape(['up'], soon(2000))).rejects.toThrow(/answers 503/);
    status = 200;
    await expect(pages.scrape(['up'], soon(2000))).resolves.toMatchObject([{ families: new Map() }]);
    await expect(new MetricsPages({ urls: [url], clock }).scrape(['<html>'], soon(2000))).rejects.toThrow(
      /can't be read: line 1/,
    );
    const gone = new MetricsPages({ urls: [url, `http://127.0.0.1:${await freePort()}`], clock });
    await expect(gone.scrape(['up'], soon(2000))).rejects.toThrow(/does not answer/);
  });
});

describe('disks', () => {
  test('are as df has them', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'opsroom-disk-'));
    all.defer(() => rm(dir, { recursive: true }));
    const { stdout } = await run('df', ['-B1', '--output=avail,size', dir]);
    const [avail = 0] = (stdout.split('\n')[1] ?? '').trim().split(/\s+/).map(Number);
    const usage = await new LocalDisks([dir]).usage(dir);
    expect(Math.abs(usage.freeBytes - avail)).toBeLessThan(256 * 1024 ** 2);
    expect(usage.totalBytes).toBeGreaterThan(usage.freeBytes);
    await expect(new LocalDisks([]).usage(join(dir, 'gone'))).rejects.toThrow(/there is no such path/);
  });
});

describe('certificates', () => {
  async function certified(days: number, subject: string): Promise<{ host: string; ca: string }> {
    const dir = await mkdtemp(join(tmpdir(), 'opsroom-tls-'));
    all.defer(() => rm(dir, { recursive: true }));
    const [key, cert] = [join(dir, 'key'), join(dir, 'cert')];
    await run('openssl', [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-keyout',
      key,
      '-out',
      cert,
      '-days',
      String(days),
      '-subj',
      '/CN=x',
      '-addext',
      `subjectAltName=${subject}`,
    ]);
    const ca = await readFile(cert, 'utf8');
    const server = createTlsServer({ key: await readFile(key), cert: ca });
    server.on('tlsClientError', () => undefined);
    return { host: `localhost:${await listen(server)}`, ca };
  }

  test('show how long they last, and whether a client takes them', async () => {
    const { host, ca } = await certified(30, 'DNS:localhost');
    const good = await new TlsCertificates([host], ca).read(host, soon(5000));
    expect((good.validUntil - Date.now()) / dayMs).toBeCloseTo(30, 1);
    expect(good.refusedBecause).toBeUndefined();
    expect((await new TlsCertificates([host]).read(host, soon(5000))).refusedBecause).toBe(
      'DEPTH_ZERO_SELF_SIGNED_CERT',
    );
  });

  test('of another name are refused', async () => {
    const { host, ca } = await certified(30, 'DNS:other.example.org');
    expect((await new TlsCertificates([host], ca).read(host, soon(5000))).refusedBecause).toBe(
      'ERR_TLS_CERT_ALTNAME_INVALID',
    );
  });

  test('that cannot be had are unknown', async () => {
    const host = `localhost:${await freePort()}`;
    await expect(new TlsCertificates([host]).read(host, soon(5000))).rejects.toThrow(/No TLS handshake/);
    const silent = createServer();
    const mute = `localhost:${await listen(silent)}`;
    await expect(new TlsCertificates([mute]).read(mute, soon(300))).rejects.toThrow(/No TLS handshake/);
    silent.closeAllConnections();
  });

  test('are looked at for every https address, once', () => {
    expect(
      tlsHosts(['https://a.example', 'https://a.example/x', 'http://b', 'wss://c:8443', 'https://[::1]:1/']),
    ).toEqual(['a.example:443', 'c:8443', '[::1]:1']);
  });
});

describe('a round trip', () => {
  /** A server that takes `sendMs` to take the event and `showMs` more to show it. */
  function hands(time: FakeClock, sendMs: number, showMs: number) {
    return {
      clock: time,
      send: async (body: string) => {
        await time.sleep(sendMs);
        sent(body);
        return '$event';
      },
      waitFor: async (is: (event: { id: string; body: string | undefined }) => boolean) => {
        const body = await shown;
        await time.sleep(showMs);
        if (!is({ id: '$event', body })) throw new Error('another event');
      },
    };
  }
  let sent: (body: string) => void;
  let shown: Promise<string>;
  beforeEach(() => ({ promise: shown, resolve: sent } = Promise.withResolvers<string>()));

  test.each([
    [20, 80, { sendMs: 20, totalMs: 100, seen: true }],
    // Sent, and never seen: the time given up after is a lower limit.
    [20, 9000, { sendMs: 20, totalMs: 5000, seen: false }],
    // A send that hangs is slowness, not a failed probe.
    [9000, 1, { sendMs: 5000, totalMs: 5000, seen: false }],
  ])('of %i ms to send and %i ms to show', async (sendMs, showMs, expected) => {
    const time = new FakeClock();
    const measured = roundTrip(hands(time, sendMs, showMs)).measure(5000, soon(60_000));
    await time.advance(10_000);
    expect(await measured).toEqual(expected);
  });

  test('that cannot be sent is no measure', async () => {
    const time = new FakeClock();
    const refused = { ...hands(time, 0, 0), send: () => Promise.reject(new Error('down')) };
    await expect(roundTrip(refused).measure(5000, soon(60_000))).rejects.toThrow('down');
    expect(time.sleeping).toBe(0);
  });
});
