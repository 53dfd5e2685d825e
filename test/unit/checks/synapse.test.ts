import { describe, expect, test } from 'vitest';
import databasePool from '#checks/database-pool.ts';
import federationLag from '#checks/federation-lag.ts';
import synapseHealth from '#checks/synapse-health.ts';
import synapseMemory from '#checks/synapse-memory.ts';
import synapseVersions from '#checks/synapse-versions.ts';
import syncLatency from '#checks/sync-latency.ts';
import { OpsError } from '#domain/errors.ts';
import type { Answer, HomeserverProbe } from '#domain/probes.ts';
import { FakeClock } from '#test/fakes/clock.ts';
import { FakeMetrics } from '#test/fakes/metrics.ts';
import { reader } from '#test/fixtures/read-check.ts';

const clock = new FakeClock();
const answered = (status: number, text = 'OK'): Answer => ({ kind: 'answered', status, text, tookMs: 12 });
const homeserver = (set: {
  health?: Answer;
  versions?: Answer;
  database?: () => Promise<{ latencyMs: number }>;
}): HomeserverProbe => ({
  health: () => Promise.resolve(set.health ?? answered(200)),
  versions: () => Promise.resolve(set.versions ?? answered(200, '{"versions":["v1.1","v1.12"]}')),
  database: set.database ?? (() => Promise.resolve({ latencyMs: 8 })),
});
const once = (check: Parameters<typeof reader>[0], ports: Omit<Parameters<typeof reader>[1], 'clock'>) =>
  reader(check, { clock, ...ports })();

describe('synapse-health', () => {
  test('is up when it and its database answer', async () => {
    const { values, verdicts } = await once(synapseHealth, { homeserver: homeserver({}) });
    expect(values).toEqual({ up: 1, database_up: 1, database_ms: 8 });
    expect(verdicts).toEqual({ 'synapse-health': 'ok', 'synapse-database': 'ok' });
  });
  test('is down when the connection is refused, and says so', async () => {
    const { verdicts, notes } = await once(synapseHealth, {
      homeserver: homeserver({ health: { kind: 'refused', tookMs: 1 } }),
    });
    expect(verdicts).toEqual({ 'synapse-health': 'critical' });
    expect(notes['up']).toBe('connection refused');
  });
  test('tells a stopped database from a stopped Synapse', async () => {
    const database = () =>
      Promise.reject(new OpsError('unavailable', "Cannot read from Synapse's database: Synapse answered 500."));
    expect((await once(synapseHealth, { homeserver: homeserver({ database }) })).verdicts).toEqual({
      'synapse-health': 'ok',
      'synapse-database': 'critical',
    });
  });
  test('does not take a bad token for a stopped database', async () => {
    const database = () => Promise.reject(new OpsError('misconfigured', 'The admin token is not valid.'));
    expect((await once(synapseHealth, { homeserver: homeserver({ database }) })).verdicts['synapse-database']).toBe(
      'unknown',
    );
  });
});

test('synapse-versions shows the newest version and refuses what is no list of them', async () => {
  expect((await once(synapseVersions, { homeserver: homeserver({}) })).notes['api_up']).toBe('up to v1.12');
  expect((await once(synapseVersions, { homeserver: homeserver({ versions: answered(502, '') }) })).verdicts).toEqual({
    'synapse-versions': 'critical',
  });
  await expect(
    once(synapseVersions, { homeserver: homeserver({ versions: answered(200, '<html>') }) }),
  ).rejects.toThrow(/something else/);
});

test.each([
  [4900, true, 'ok'],
  [5100, true, 'critical'],
  [30_000, false, 'critical'],
])('sync-latency of %i ms (seen: %s) is %s', async (totalMs, seen, verdict) => {
  const roundTrip = { measure: () => Promise.resolve({ totalMs, sendMs: 20, seen }) };
  const { verdicts, notes } = await once(syncLatency, { roundTrip });
  expect(verdicts).toEqual({ 'sync-latency': verdict });
  expect(notes['round_trip_ms']).toBe(seen ? undefined : 'not seen after 30 s: the true value is higher');
});

describe('database-pool', () => {
  const page = (busy: number, waits = '') => `# TYPE synapse_threadpool_working_threads gauge
synapse_threadpool_working_threads{name="database-master",server_name="x"} ${busy}
synapse_threadpool_working_threads{name="default",server_name="x"} 99
# TYPE synapse_threadpool_max_threads gauge
synapse_threadpool_max_threads{name="database-master",server_name="x"} 10
synapse_threadpool_max_threads{name="default",server_name="x"} 100
# TYPE synapse_storage_schedule_time histogram
${waits}`;

  test('takes the most of a minute of scrapes, of database pools only', async () => {
    const time = new FakeClock();
    const metrics = new FakeMetrics(time, page(10));
    const read = reader(databasePool, { clock: time, synapseMetrics: metrics });
    expect(await read()).toMatchObject({ values: { used_ratio: 1 }, verdicts: { 'database-pool': 'warning' } });
    await time.advance(15_000);
    metrics.show(page(2));
    expect((await read()).values).toEqual({ used_ratio: 1 });
    await time.advance(50_000);
    expect(await read()).toMatchObject({
      values: { used_ratio: 0.2 },
      notes: { used_ratio: '2 of 10 connections at the last look' },
    });
  });

  test('is not broken at 9 of 10', async () => {
    expect(
      (await once(databasePool, { synapseMetrics: new FakeMetrics(clock, page(9)) })).verdicts['database-pool'],
    ).toBe('ok');
  });

  test('knows how long a connection is waited for, when any was', async () => {
    const time = new FakeClock();
    const waits = (slow: number) =>
      `synapse_storage_schedule_time_bucket{le="0.5"} 10\nsynapse_storage_schedule_time_bucket{le="1.0"} ${10 + slow}\nsynapse_storage_schedule_time_bucket{le="+Inf"} ${10 + slow}\n`;
    const metrics = new FakeMetrics(time, page(1, waits(0)));
    const read = reader(databasePool, { clock: time, synapseMetrics: metrics });
    await read();
    await time.advance(15_000);
    expect((await read()).values).not.toHaveProperty('wait_p99_ms');
    await time.advance(15_000);
    metrics.show(page(1, waits(100)));
    const { values, verdicts } = await read();
    expect(values['wait_p99_ms']).toBeCloseTo(995);
    expect(verdicts['database-wait']).toBe('warning');
  });

  test('says which metric is absent', async () => {
    const { values, notes, verdicts } = await once(databasePool, { synapseMetrics: new FakeMetrics(clock, 'up 1\n') });
    expect(values['used_ratio']).toBeUndefined();
    expect(notes['used_ratio']).toBe('metric absent: synapse_threadpool_working_threads');
    expect(verdicts['database-pool']).toBe('unknown');
  });
});

describe('federation-lag', () => {
  const page = (
    persisted: number,
    handed: number,
    lastAgoMs: number,
  ) => `synapse_event_persisted_position{server_name="x"} ${persisted}
synapse_event_processing_positions{name="federation_sender"} ${handed}
synapse_event_processing_positions{name="presence"} 1
synapse_event_processing_last_ts{name="federation_sender"} ${clock.now() - lastAgoMs}
synapse_federation_transaction_queue_pending_pdus 4
`;
  test('is 0 on a quiet server, however old the last event is', async () => {
    const { values, verdicts } = await once(federationLag, {
      synapseMetrics: new FakeMetrics(clock, page(500, 500, 9_000_000)),
    });
    expect(values).toEqual({ behind_ms: 0, behind_events: 0, pending_pdus: 4 });
    expect(verdicts).toEqual({ 'federation-lag': 'ok' });
  });
  test('is the age of the last event handed on while there are more', async () => {
    const { values, verdicts } = await once(federationLag, {
      synapseMetrics: new FakeMetrics(clock, page(510, 500, 90_000)),
    });
    expect(values).toMatchObject({ behind_ms: 90_000, behind_events: 10 });
    expect(verdicts).toEqual({ 'federation-lag': 'warning' });
  });
  test('of workers counts the furthest ahead and the furthest behind', async () => {
    const metrics = new FakeMetrics(clock).show(page(510, 500, 1000), 'main').show(page(700, 690, 70_000), 'sender');
    expect((await once(federationLag, { synapseMetrics: metrics })).values).toMatchObject({
      behind_events: 200,
      pending_pdus: 8,
    });
  });
});

describe('synapse-memory', () => {
  test('is the sum of all processes', async () => {
    const gib = 1024 ** 3;
    const metrics = new FakeMetrics(clock)
      .show(`process_resident_memory_bytes ${3 * gib}\n`, 'a')
      .show(`process_resident_memory_bytes ${2 * gib}\n`, 'b');
    expect(await once(synapseMemory, { synapseMetrics: metrics })).toMatchObject({
      values: { resident_bytes: 5 * gib },
      notes: { resident_bytes: 'sum of 2 processes' },
      verdicts: { 'synapse-memory': 'warning' },
    });
  });
  test('is unknown when one of them does not answer', async () => {
    const metrics = new FakeMetrics(clock).show('process_resident_memory_bytes 1\n', 'a').show(undefined, 'b');
    await expect(once(synapseMemory, { synapseMetrics: metrics })).rejects.toThrow(/b: it does not answer/);
  });
});
