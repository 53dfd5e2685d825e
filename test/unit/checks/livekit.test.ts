import { describe, expect, test } from 'vitest';
import bandwidth from '#checks/livekit-bandwidth.ts';
import failed from '#checks/livekit-failed-connections.ts';
import health from '#checks/livekit-health.ts';
import participants from '#checks/livekit-participants.ts';
import type { Answer } from '#domain/probes.ts';
import type { Check } from '#engine/check.ts';
import { FakeCallServer } from '#test/fakes/calls.ts';
import { FakeClock } from '#test/fakes/clock.ts';
import { FakeMetrics } from '#test/fakes/metrics.ts';
import { reader } from '#test/fixtures/read-check.ts';

const started = (at: number) => `process_start_time_seconds ${at}\n`;

test.each([
  [{ kind: 'answered', status: 200, text: 'OK', tookMs: 1 }, 'ok', undefined],
  [
    { kind: 'answered', status: 406, text: 'Not Ready', tookMs: 1 },
    'critical',
    'running, but not ready (406): its node statistics stand still',
  ],
  [{ kind: 'answered', status: 404, text: '', tookMs: 1 }, 'critical', 'it answers 404: is that LiveKit?'],
  [{ kind: 'refused', tookMs: 1 }, 'critical', 'connection refused: it is not running'],
] satisfies Array<[Answer, string, string | undefined]>)('LiveKit that says %j', async (answer, verdict, note) => {
  const read = await reader(health, {
    clock: new FakeClock(),
    callServer: { health: () => Promise.resolve(answer) },
  })();
  expect(read.verdicts).toEqual({ 'livekit-health': verdict });
  expect(read.notes['up']).toBe(note);
});

describe('people in calls', () => {
  const page = (people: number) =>
    `livekit_participant_total{node_id="n"} ${people}\nlivekit_room_total{node_id="n"} 2\n`;
  const read = (people: number, usual: number | undefined, readings = 200) => {
    const clock = new FakeClock();
    const history =
      usual === undefined
        ? []
        : Array.from({ length: readings }, (_, at) => ({ series: 'x', at, value: usual, note: undefined }));
    return reader(participants, { clock, livekitMetrics: new FakeMetrics(clock, page(people)) }, history)();
  };
  test.each([
    [21, 6, 'warning'],
    [18, 6, 'ok'],
    // Three times the usual, but a handful.
    [20, 2, 'ok'],
    [21, 2, 'warning'],
    [31, 10, 'warning'],
    [30, 10, 'ok'],
  ])('%i where %i are usual is %s', async (people, usual, verdict) => {
    expect((await read(people, usual)).verdicts).toEqual({ 'livekit-participants': verdict });
  });
  test('are no spike before anything is usual', async () => {
    expect((await read(500, undefined)).verdicts).toEqual({ 'livekit-participants': 'ok' });
    expect((await read(500, 1, 59)).values).toEqual({ participants: 500, rooms: 2 });
  });
  test('are unknown when the metric is gone, not none', async () => {
    const clock = new FakeClock();
    const gone = await reader(participants, {
      clock,
      livekitMetrics: new FakeMetrics(clock, 'livekit_room_total 0\n'),
    })();
    expect(gone.values['participants']).toBeUndefined();
    expect(gone.verdicts['livekit-participants']).toBe('unknown');
  });
});

/** Reads at each page, 60 s apart. */
async function over(check: Check, pages: string[], calls?: FakeCallServer) {
  const clock = new FakeClock();
  const metrics = new FakeMetrics(clock);
  const read = reader(check, { clock, livekitMetrics: metrics, ...(calls ? { calls } : {}) });
  const all = [];
  for (const page of pages) {
    metrics.show(page);
    all.push(await read());
    await clock.advance(60_000);
  }
  return all;
}

describe('bandwidth', () => {
  const page = (incoming: number, outgoing: number, since = 1) =>
    `${started(since)}livekit_participant_total 3\nlivekit_packet_bytes{direction="incoming",transmission="initial",country=""} ${incoming}
livekit_packet_bytes{direction="outgoing",transmission="initial",country=""} ${outgoing}\nlivekit_packet_bytes{direction="outgoing",transmission="retransmit",country=""} 0\n`;

  test('is bits per second between two scrapes', async () => {
    const [first, second] = await over(bandwidth, [page(0, 0), page(600_000, 1_200_000)]);
    expect(first?.values).toEqual({});
    expect(second?.values).toEqual({ in_bits_per_second: 80_000, out_bits_per_second: 160_000 });
  });
  test('survives a restart of LiveKit', async () => {
    const [, second] = await over(bandwidth, [page(9_000_000, 9_000_000, 1), page(600_000, 9_600_000, 50)]);
    expect(second?.values).toEqual({ in_bits_per_second: 80_000, out_bits_per_second: 1_280_000 });
  });
  test('before the first packet is 0 with nobody there, unknown with people there', async () => {
    const [, empty] = await over(bandwidth, ['livekit_participant_total 0\n', 'livekit_participant_total 0\n']);
    expect(empty?.values).toEqual({ in_bits_per_second: 0, out_bits_per_second: 0 });
    const [, renamed] = await over(bandwidth, ['livekit_participant_total 3\n', 'livekit_participant_total 3\n']);
    expect(renamed?.values).toEqual({ in_bits_per_second: undefined, out_bits_per_second: undefined });
    expect(renamed?.notes['in_bits_per_second']).toBe('metric absent: livekit_packet_bytes');
  });
  test('of a room is only estimated, and says so', async () => {
    const calls = new FakeCallServer();
    for (const name of ['a', 'b', 'c', 'd']) calls.join('big', name);
    for (const name of ['e', 'f']) calls.join('small', name);
    const [, second] = await over(bandwidth, [page(0, 0), page(1, 1)], calls);
    expect(second?.notes['out_bits_per_second']).toBe('Estimate: 86 % of it by the largest of 2 (4 people, 4 tracks).');
  });
});

describe('failed connections', () => {
  const page = (counts: Record<string, number>, since = 1) =>
    `${started(since)}livekit_participant_total 1\n${Object.entries(counts)
      .map(([state, count]) => `livekit_participant_join_total{state="${state}"} ${count}\n`)
      .join('')}`;

  test('are failed attempts over all attempts, and may pass 100 %', async () => {
    const [, read] = await over(failed, [
      page({ signal_connected: 10, rtc_init: 10 }),
      page({ signal_connected: 12, rtc_init: 12, rtc_success: 2, signal_failed: 2, rtc_failure: 6, rtc_canceled: 6 }),
    ]);
    expect(read?.values).toEqual({ failed_ratio: 2, failed: 8, tried: 4 });
    expect(read?.verdicts).toEqual({ 'livekit-failed-connections': 'critical' });
  });
  test('of one unlucky client are no alert', async () => {
    const [, read] = await over(failed, [page({ signal_connected: 1 }), page({ signal_connected: 2, rtc_failure: 2 })]);
    expect(read?.values['failed_ratio']).toBe(2);
    expect(read?.verdicts).toEqual({ 'livekit-failed-connections': 'ok' });
  });
  test('are forgotten after five minutes', async () => {
    const rest = Array.from({ length: 5 }, () => page({ signal_connected: 1, rtc_failure: 9 }));
    const reads = await over(failed, [
      page({ signal_connected: 1 }),
      ...rest,
      page({ signal_connected: 1, rtc_failure: 9 }),
    ]);
    expect(reads.map(({ values }) => values['failed'])).toEqual([undefined, 9, 9, 9, 9, 9, 0]);
  });
  test('count on across a restart', async () => {
    const [, read] = await over(failed, [
      page({ signal_connected: 100, signal_failed: 40 }, 1),
      page({ signal_connected: 4, signal_failed: 6 }, 90),
    ]);
    expect(read?.values).toEqual({ failed_ratio: 0.6, failed: 6, tried: 10 });
  });
  test('are 0 before the first join, unknown when people are inside without the metric', async () => {
    const [, none] = await over(failed, ['livekit_participant_total 0\n', 'livekit_participant_total 0\n']);
    expect(none?.values).toEqual({ failed_ratio: 0, failed: 0, tried: 0 });
    const [, renamed] = await over(failed, [page({}), page({})]);
    expect(renamed?.values).toEqual({ failed_ratio: undefined });
    expect(renamed?.notes['failed_ratio']).toContain('metric absent');
  });
});
