import { createHmac } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openLiveKit } from '#adapters/livekit/open.ts';
import { roundTrip } from '#adapters/matrix/round-trip.ts';
import { PostgresStats } from '#adapters/postgres/stats.ts';
import { MetricsPages } from '#adapters/prometheus/scrape.ts';
import { openSynapse } from '#adapters/synapse/open.ts';
import { SystemClock } from '#adapters/system/clock.ts';
import { LocalDisks } from '#adapters/system/disks.ts';
import { endpoint } from '#adapters/system/endpoint.ts';
import { OpsError } from '#domain/errors.ts';
import type { Finding } from '#domain/health.ts';
import type { Signal } from '#domain/incidents.ts';
import type { SiteCheckPorts } from '#engine/check-ports.ts';
import { CheckHealth } from '#engine/health.ts';
import { Prober } from '#engine/prober.ts';
import { startCall } from '#sandbox/call.ts';
import type { Livekit } from '#sandbox/livekit.ts';
import { openStack, type Stack } from '#sandbox/stack.ts';
import { call, register } from '#sandbox/synapse-client.ts';
import { loadChecks } from '#src/watch.ts';
import { openStorage, type Storage } from '#storage/open.ts';
import { installMs } from '#test/ops-room.ts';

const all = new AsyncDisposableStack();
const clock = new SystemClock();
const told: Signal[] = [];
const stop = new AbortController();
let stack: Stack;
let livekit: Livekit;
let health: CheckHealth;
let storage: Storage;

/** The bot's sync in little: enough to see one event. */
async function openRoundTrip(): Promise<SiteCheckPorts['roundTrip']> {
  const { url, registrationSharedSecret } = stack.synapse;
  const bot = await register(url, registrationSharedSecret, { username: 'prober', password: 'correct-horse-battery' });
  const { room_id: room } = await call<{ room_id: string }>(url, 'POST', '/_matrix/client/v3/createRoom', bot.token, {
    preset: 'private_chat',
  });
  const rooms = encodeURIComponent(room);
  type Sync = {
    next_batch: string;
    rooms?: {
      join?: Record<string, { timeline: { events: Array<{ event_id: string; content: { body?: string } }> } }>;
    };
  };
  const sync = (since: string, timeout: number) =>
    call<Sync>(
      url,
      'GET',
      `/_matrix/client/v3/sync?timeout=${timeout}${since === '' ? '' : `&since=${since}`}`,
      bot.token,
    );
  return roundTrip({
    clock,
    send: async (body) => {
      if ((await endpoint(`${url}/health`, clock)(stop.signal)).kind === 'refused')
        throw new OpsError('unavailable', 'Synapse is down.');
      const path = `/_matrix/client/v3/rooms/${rooms}/send/m.room.message/${crypto.randomUUID()}`;
      return (await call<{ event_id: string }>(url, 'PUT', path, bot.token, { msgtype: 'm.notice', body })).event_id;
    },
    waitFor: async (is, signal) => {
      let { next_batch: since } = await sync('', 0);
      while (!signal.aborted) {
        const batch = await sync(since, 1000);
        since = batch.next_batch;
        const events = batch.rooms?.join?.[room]?.timeline.events ?? [];
        if (events.some(({ event_id: id, content }) => is({ id, body: content.body }))) return;
      }
    },
  });
}

beforeAll(async () => {
  const dir = await mkdtemp(join(tmpdir(), 'opsroom-checks-'));
  all.defer(() => rm(dir, { recursive: true, force: true }));
  stack = all.use(await openStack({ dir, log: () => undefined, parts: ['synapse', 'livekit'], rateLimits: 'lifted' }));
  livekit = await stack.livekit;
  const { synapse, postgres } = stack;
  const admin = all.use(await openSynapse({ url: synapse.url, adminToken: synapse.adminToken, clock }));
  const { host, port, database, user, password } = postgres;
  const ports: SiteCheckPorts = {
    clock,
    homeserver: {
      health: endpoint(`${synapse.url}/health`, clock),
      versions: endpoint(`${synapse.url}/_matrix/client/versions`, clock),
      database: () => admin.probes.database(),
    },
    roundTrip: (await openRoundTrip())!,
    synapseMetrics: new MetricsPages({ urls: [synapse.metricsUrl], clock }),
    callServer: { health: endpoint(livekit.url.replace(/^ws/, 'http'), clock) },
    livekitMetrics: new MetricsPages({ urls: [livekit.metricsUrl], clock }),
    calls: openLiveKit({ ...livekit, clock }).calls,
    database: all.use(new PostgresStats({ host, port, database, user, password, clock })),
    disks: new LocalDisks([dir]),
  };
  storage = all.use(openStorage({ file: ':memory:' }));
  const checks = [...(await loadChecks())].map(([name, check]) => ({ ...check, name }));
  const options = { site: 'default', checks, ports, readings: storage.readings, clock };
  const prober = new Prober({
    ...options,
    tell: (signals) => void told.push(...signals),
    fault: (what, error) => expect.fail(`${what}: ${String(error)}`),
  });
  health = new CheckHealth({ ...options, prober, signal: stop.signal });
}, installMs);
afterAll(async () => {
  stop.abort();
  await all.disposeAsync();
});

const read = async (name?: string): Promise<Record<string, Finding>> =>
  Object.fromEntries((await health.runNow(name)).map((finding) => [finding.name, finding]));
const seen = (series: string) => storage.readings.last('default', series)?.value ?? Number.NaN;

/** Until the check says so: parts take their time to start and to stop. */
async function readUntil(
  name: string,
  is: (found: Record<string, Finding>) => boolean,
): Promise<Record<string, Finding>> {
  for (const end = Date.now() + 20_000; ; await pause(200)) {
    const found = await read(name);
    if (is(found) || Date.now() > end) return found;
  }
}

test('on a healthy stack every check reads its part, and all is well', async () => {
  await read();
  // Rates need a second scrape.
  const found = await read();
  expect(Object.values(found).filter(({ verdict }) => verdict === 'unknown' || verdict === 'critical')).toEqual([]);
  expect(Object.keys(found).toSorted()).toEqual(
    expect.arrayContaining([
      'database-pool.used_ratio',
      'federation-lag.behind_ms',
      'livekit-failed-connections.failed_ratio',
      'livekit-health.up',
      'livekit-participants.participants',
      'postgres.connections_ratio',
      'synapse-health.database_up',
      'synapse-memory.resident_bytes',
      'synapse-versions.api_up',
      'sync-latency.round_trip_ms',
    ]),
  );
  expect(seen('sync-latency.round_trip_ms')).toBeGreaterThan(1);
  expect(seen('sync-latency.round_trip_ms')).toBeLessThan(5000);
  expect(seen('synapse-memory.resident_bytes')).toBeGreaterThan(50 * 1024 ** 2);
  expect(seen('postgres.database_bytes')).toBeGreaterThan(5 * 1024 ** 2);
  expect(seen('federation-lag.behind_ms')).toBe(0);
});

test('PostgreSQL counts its own connections as the check does', async () => {
  await read('postgres');
  const counted = Number(
    (await stack.sql('synapse', ['SELECT count(*) FROM pg_stat_activity WHERE datname IS NOT NULL;'])).trim(),
  );
  const limit = 97;
  // The question itself is one connection more.
  expect(Math.abs(seen('postgres.connections_ratio') * limit - counted)).toBeLessThanOrEqual(3);
});

describe('calls', () => {
  const token = (identity: string, grant: object, secret = livekit.apiSecret) => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const body = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ iss: livekit.apiKey, sub: identity, exp: Math.floor(Date.now() / 1000) + 600, video: grant })}`;
    return `${body}.${createHmac('sha256', secret).update(body).digest('base64url')}`;
  };
  const attempt = (jwt: string) =>
    new Promise<void>((resolve) => {
      const socket = new WebSocket(`${livekit.url.replace(/^http/, 'ws')}/rtc?access_token=${jwt}`);
      socket.addEventListener('close', () => resolve());
      socket.addEventListener('open', () => socket.close());
    });

  test('are counted, and their traffic measured', async () => {
    await using running = await startCall(livekit, '!call', [
      '@a:opsroom.test:A',
      '@b:opsroom.test:B',
      '@c:opsroom.test:C',
    ]);
    expect(await running.list()).toHaveLength(3);
    await readUntil('livekit-participants', () => seen('livekit-participants.participants') === 3);
    expect(seen('livekit-participants.participants')).toBe(3);
    await read('livekit-bandwidth');
    // LiveKit adds to its counters every 5 s, so shorter times are refused.
    await pause(20_000);
    const { 'livekit-bandwidth.out_bits_per_second': out } = await read('livekit-bandwidth');
    // One audio track each of some 35 to 120 kbit/s.
    for (const way of ['in', 'out']) {
      expect(seen(`livekit-bandwidth.${way}_bits_per_second`)).toBeGreaterThan(20_000);
      expect(seen(`livekit-bandwidth.${way}_bits_per_second`)).toBeLessThan(2_000_000);
    }
    expect(out?.note).toBe('Estimate: 100 % of it by the largest of 1 (3 people, 3 tracks)');
    await read('livekit-failed-connections');
    expect(seen('livekit-failed-connections.failed')).toBe(0);
    expect(seen('livekit-failed-connections.tried')).toBe(3);
  }, 60_000);

  test('that fail are counted, but not those with a bad token', async () => {
    for (let count = 0; count < 6; count++) await attempt(token('@x:opsroom.test:X', { room: 'somewhere' }));
    const found = await readUntil('livekit-failed-connections', () => seen('livekit-failed-connections.failed') >= 6);
    expect(found['livekit-failed-connections.failed_ratio']?.verdict).toBe('critical');
    const failed = seen('livekit-failed-connections.failed');
    const bad = token('@x:opsroom.test:X', { room: 'somewhere', roomJoin: true }, 'wrong'.repeat(8));
    for (let count = 0; count < 6; count++) await attempt(bad);
    await pause(500);
    await read('livekit-failed-connections');
    expect(seen('livekit-failed-connections.failed')).toBe(failed);
  });
});

describe('what is stopped', () => {
  test('PostgreSQL: Synapse lives, its database is told apart, nothing is 0 that is not known', async () => {
    await stack.postgres.stop();
    try {
      expect((await read('postgres'))['postgres.up']).toMatchObject({
        verdict: 'critical',
        value: 'down',
        note: expect.stringContaining('connection refused') as string,
      });
      const found = await read('synapse-health');
      expect(found['synapse-health.up']).toMatchObject({ verdict: 'ok', value: 'up' });
      expect(found['synapse-health.database_up']).toMatchObject({ verdict: 'critical', value: 'down' });
    } finally {
      await stack.postgres.start();
    }
    const back = await readUntil('synapse-health', (found) => found['synapse-health.database_up']?.verdict === 'ok');
    expect(back['synapse-health.database_up']?.verdict).toBe('ok');
    expect((await read('postgres'))['postgres.up']?.verdict).toBe('ok');
  }, 60_000);

  test('LiveKit: refused, and its metrics are unknown, not 0', async () => {
    await livekit.stop();
    try {
      expect((await read('livekit-health'))['livekit-health.up']).toMatchObject({
        verdict: 'critical',
        note: expect.stringContaining('connection refused') as string,
      });
      expect((await read('livekit-participants'))['livekit-participants']).toMatchObject({
        verdict: 'unknown',
        value: 'unknown',
        note: expect.stringContaining('does not answer') as string,
      });
    } finally {
      await livekit.start();
    }
    // A new process counts from 0: no negative rate, no spike.
    await readUntil('livekit-bandwidth', () => seen('livekit-bandwidth.in_bits_per_second') === 0);
    expect(seen('livekit-bandwidth.in_bits_per_second')).toBe(0);
  }, 60_000);

  test('Synapse: refused, the sync latency is unknown', async () => {
    await stack.synapse.stop();
    try {
      expect((await read('synapse-health'))['synapse-health.up']).toMatchObject({ verdict: 'critical', value: 'down' });
      expect((await read('synapse-versions'))['synapse-versions.api_up']).toMatchObject({ verdict: 'critical' });
      expect((await read('sync-latency'))['sync-latency']).toMatchObject({ verdict: 'unknown' });
      expect((await read('synapse-memory'))['synapse-memory']).toMatchObject({ verdict: 'unknown' });
    } finally {
      await stack.synapse.start();
    }
  }, 60_000);
});

test('a database that hangs is seen as a slow sync', async () => {
  const lock = stack.sql('synapse', [
    'BEGIN; LOCK TABLE events IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(9); ROLLBACK;',
  ]);
  const latency = read('sync-latency');
  const found = await latency;
  await lock;
  expect(found['sync-latency.round_trip_ms']).toMatchObject({ verdict: 'critical', limit: 'above 5 s' });
  expect(seen('sync-latency.round_trip_ms')).toBeGreaterThan(5000);
  expect(seen('sync-latency.round_trip_ms')).toBeLessThan(20_000);
}, 60_000);
