import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseUserId } from '#domain/accounts.ts';
import type { BackupId, BackupSet, BackupStore } from '#domain/backups.ts';
import type { BotInfo, Runs } from '#domain/bot.ts';
import type { Finding, Health } from '#domain/health.ts';
import type { IncidentDesk } from '#domain/incident-desk.ts';
import type { Incident } from '#domain/incidents.ts';
import type { Reply } from '#domain/messages.ts';
import { parseRoomId } from '#domain/rooms.ts';
import type { Run } from '#domain/runs.ts';
import { DailyReports } from '#engine/reports.ts';
import { openStorage, type Storage } from '#storage/open.ts';
import { FakeClock } from '#test/fakes/clock.ts';

const hourMs = 3_600_000;
const gib = 1024 ** 3;
const clock = new FakeClock('2026-08-03T07:00:00Z');
const now = clock.now();
const bot: BotInfo = {
  user: parseUserId('@bot:example.org'),
  opsRoom: parseRoomId('!ops'),
  site: 'default',
  prefix: '!',
  timezone: 'Europe/Berlin',
  version: '0.1.0',
  startedAt: now - 100 * hourMs,
  off: [],
};
const finding = (set: Partial<Finding>): Finding => ({
  name: 'x.y',
  part: 'synapse',
  title: 'sync latency',
  verdict: 'ok',
  value: '90 ms',
  limit: undefined,
  note: undefined,
  since: undefined,
  readAt: now,
  ...set,
});

let storage: Storage;
beforeEach(() => void (storage = openStorage({ file: ':memory:' })));
afterEach(() => storage[Symbol.dispose]());

type Given = { findings?: Finding[]; incidents?: Incident[]; runs?: Run[]; sets?: BackupSet[] | 'gone' | 'off' };
const daily = ({ findings = [finding({})], incidents = [], runs = [], sets = [] }: Given) =>
  new DailyReports({
    bot,
    clock,
    readings: storage.readings,
    health: { findings: () => findings } as Partial<Health> as Health,
    runs: { recent: () => runs } as Partial<Runs> as Runs,
    incidents: {
      list: ({ open }) => incidents.filter((one) => !open || one.state !== 'closed'),
    } as Partial<IncidentDesk> as IncidentDesk,
    backups:
      sets === 'off'
        ? undefined
        : ({
            list: () => (sets === 'gone' ? Promise.reject(new Error('no')) : Promise.resolve(sets)),
          } as Partial<BackupStore> as BackupStore),
  }).daily();

/** The report as somebody reads it, one line each. */
const words = (line: unknown): string =>
  Array.isArray(line)
    ? line.map(words).join('')
    : typeof line === 'object' && line !== null
      ? String(Object.values(line)[0])
      : String(line);
function text({ title, blocks = [] }: Reply): string[] {
  return [
    words(title),
    ...blocks.flatMap((block) => {
      if (block.kind === 'text') return block.lines.map(words);
      if (block.kind === 'list') return block.items.map((item) => `- ${words(item)}`);
      if (block.kind === 'table') return block.rows.map((row) => row.map(words).join(' | '));
      return [];
    }),
  ];
}

test('a quiet day is short and says that all is well first', async () => {
  expect(text(await daily({ sets: 'off' }))).toEqual([
    'All well: 1 reading within limits.',
    'Since yesterday',
    '- Nothing of note.',
    'Backups',
    '- Off: no backups are set up.',
    'Open incidents',
    '- None.',
    'Changes made',
    '- None.',
  ]);
});

test('a bad day says first what is bad, then everything that happened', async () => {
  const put = (series: string, hoursAgo: number, value: number | undefined) =>
    storage.readings.put('default', [{ series, at: now - hoursAgo * hourMs, value, note: undefined }]);
  for (let hour = 0; hour < 48; hour++) put('sync-latency.round_trip_ms', hour, hour < 24 ? 200 + hour : 100);
  put('sync-latency.round_trip_ms', 0.5, undefined);
  put('postgres.database_bytes', 30, 10 * gib);
  put('postgres.database_bytes', 1, 12 * gib);
  put('synapse-memory.resident_bytes', 30, 2 * gib);
  put('synapse-memory.resident_bytes', 1, 2.1 * gib);
  put('disk.free_bytes:/backups', 1, 80 * gib);
  put('disk.free_bytes:/gone', 40, 80 * gib);
  const incident = (id: number, set: Partial<Incident>): Incident =>
    ({
      id,
      state: 'open',
      severity: 'warning',
      name: 'SyncSlow',
      title: 'sync latency: 7 s',
      openedAt: now - 2 * hourMs,
      closedAt: undefined,
      ackedBy: undefined,
      ...set,
    }) as Incident;
  const run = (id: number, command: string, state: Run['state'], hoursAgo: number) =>
    ({ id, command, state, madeAt: now - hoursAgo * hourMs }) as Run;
  const set = (sequence: number, hoursAgo: number, ok: boolean): BackupSet =>
    ({
      manifest: { id: `set-${sequence}` as BackupId, sequence, endedAt: now - hoursAgo * hourMs },
      verification: { ok, at: now - hoursAgo * hourMs + 60_000, problems: ok ? [] : ['events: 3 rows too few'] },
    }) as unknown as BackupSet;
  const report = await daily({
    findings: [
      finding({}),
      finding({
        verdict: 'critical',
        value: '7.2 s',
        limit: 'above 5 s',
        since: now - 2 * hourMs,
        note: 'Look at PostgreSQL.',
      }),
      finding({ title: 'disk', verdict: 'unknown', value: 'unknown', note: 'No route.' }),
    ],
    incidents: [
      incident(17, { severity: 'critical', ackedBy: parseUserId('@bob:example.org') }),
      incident(16, { state: 'closed', closedAt: now - hourMs, name: 'DiskFillsUp' }),
      incident(3, { state: 'closed', openedAt: now - 90 * hourMs, closedAt: now - 80 * hourMs }),
    ],
    runs: [
      run(9, 'disable', 'done', 3),
      run(8, 'disable', 'partial', 4),
      run(7, 'backup now', 'done', 7),
      run(1, 'enable', 'done', 50),
    ],
    sets: [set(1, 31, true), set(2, 7, false)],
  });
  expect(report.verdict).toBe('critical');
  expect(text(report)).toEqual([
    '1 critical: sync latency 7.2 s. 1 unknown.',
    '- critical sync latency 7.2 s, above 5 s, since 07:00 +02:00 (2 h): Look at PostgreSQL.',
    '- unknown disk: No route.',
    'Since yesterday',
    '- 2 incidents opened (SyncSlow, DiskFillsUp), 1 closed',
    '- database size: 10 GiB → 12 GiB (+20 %)',
    'Numbers',
    'sync latency (p95) | 222 ms (unknown 4 % of the day) | 100 ms',
    'Synapse memory | 2.1 GiB | 2.0 GiB',
    'database size | 12 GiB | 10 GiB',
    'free on /backups | 80 GiB | –',
    'Backups',
    '- Last complete: 02:00 +02:00 (7 h ago), set-2',
    '- Last verified: 2026-08-02 02:01 +02:00 (1 d 6 h ago), set-1',
    '- The newest failed its test: events: 3 rows too few',
    'Open incidents',
    '- a17 critical sync latency: 7 s (acknowledged by @bob:example.org, 2 h)',
    'Changes made',
    '- disable 1 done, r8 partial',
    '- backup now 1 done',
  ]);
});

test('a backup place that does not answer is unknown, not none', async () => {
  expect(text(await daily({ sets: 'gone' }))).toContain('- Unknown: the place where they lie does not answer.');
});
