import { describe, expect, test } from 'vitest';
import backupAge from '#checks/backup-age.ts';
import certificate from '#checks/certificate.ts';
import disk from '#checks/disk.ts';
import postgres from '#checks/postgres.ts';
import type { BackupId, BackupSet, BackupStore } from '#domain/backups.ts';
import { OpsError } from '#domain/errors.ts';
import type { DatabaseReading } from '#domain/probes.ts';
import { FakeClock } from '#test/fakes/clock.ts';
import { reader } from '#test/fixtures/read-check.ts';

const clock = new FakeClock();
const gib = 1024 ** 3;
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

describe('postgres', () => {
  const read = (reading: DatabaseReading) =>
    reader(postgres, { clock, database: { read: () => Promise.resolve(reading) } })();
  const well = { kind: 'answered', tookMs: 1, connections: 10, maxConnections: 97, databaseBytes: 5 * gib } as const;

  test('is well with room for connections', async () => {
    const { verdicts, notes } = await read(well);
    expect(verdicts).toEqual({
      'postgres-up': 'ok',
      'postgres-latency': 'ok',
      'postgres-connections': 'ok',
      'postgres-size': 'ok',
    });
    expect(notes['connections_ratio']).toBe('10 of 97');
  });
  test('warns before the last connection is taken', async () => {
    expect((await read({ ...well, connections: 80 })).verdicts['postgres-connections']).toBe('warning');
    expect((await read({ ...well, connections: 96 })).verdicts['postgres-connections']).toBe('critical');
  });
  test('is down when it refuses', async () => {
    expect((await read({ kind: 'refused', why: 'connection refused' })).verdicts).toEqual({
      'postgres-up': 'critical',
    });
  });
});

describe('disk', () => {
  const disks = (all: Record<string, { device: string; freeBytes: number } | undefined>) => ({
    paths: Object.keys(all),
    usage: (path: string) => {
      const found = all[path];
      if (found === undefined)
        return Promise.reject(new OpsError('unavailable', `Free space of ${path}: there is no such path.`));
      return Promise.resolve({ ...found, totalBytes: 100 * gib });
    },
  });
  test('shows each file system once and judges share and bytes', async () => {
    const { values, verdicts } = await reader(disk, {
      clock,
      disks: disks({
        '/data': { device: 'a', freeBytes: 50 * gib },
        '/backups': { device: 'b', freeBytes: 4 * gib },
        '/data/media': { device: 'a', freeBytes: 50 * gib },
      }),
    })();
    expect(values).toEqual({
      'free_ratio:/data': 0.5,
      'free_bytes:/data': 50 * gib,
      'free_ratio:/backups': 0.04,
      'free_bytes:/backups': 4 * gib,
    });
    expect(verdicts).toMatchObject({
      'disk-free:/data': 'ok',
      'disk-free:/backups': 'critical',
      'disk-free-bytes:/backups': 'ok',
    });
  });
  test('knows the others when one path is missing', async () => {
    const { notes, verdicts } = await reader(disk, {
      clock,
      disks: disks({ '/gone': undefined, '/data': { device: 'a', freeBytes: 50 * gib } }),
    })();
    expect(verdicts).toMatchObject({ 'disk-free:/gone': 'unknown', 'disk-free:/data': 'ok' });
    expect(notes['free_ratio:/gone']).toContain('there is no such path');
  });
});

test.each([
  [60 * dayMs, undefined, 'ok', 'ok'],
  [20 * dayMs, undefined, 'warning', 'ok'],
  [6 * dayMs, undefined, 'critical', 'ok'],
  [-dayMs, 'CERT_HAS_EXPIRED', 'critical', 'warning'],
  [60 * dayMs, 'DEPTH_ZERO_SELF_SIGNED_CERT', 'ok', 'warning'],
])('a certificate with %i ms left, refused for %s', async (leftMs, refusedBecause, left, accepted) => {
  const certificates = {
    hosts: ['a:443'],
    read: () => Promise.resolve({ validUntil: clock.now() + leftMs, refusedBecause }),
  };
  expect((await reader(certificate, { clock, certificates })()).verdicts).toEqual({
    'certificate:a:443': left,
    'certificate-accepted:a:443': accepted,
  });
});

describe('backup-age', () => {
  const set = (sequence: number, ageMs: number, ok?: boolean): BackupSet => {
    const endedAt = clock.now() - ageMs;
    const id = `set-${sequence}` as BackupId;
    return {
      manifest: {
        format: 1,
        id,
        sequence,
        site: 'default',
        startedAt: endedAt - 1000,
        endedAt,
        opsroom: '0',
        database: { name: 'synapse', serverVersion: '15', dumpVersion: '15', rows: {}, emptied: [], rawBytes: 1 },
        files: [],
      },
      bytes: 1,
      path: '/x',
      verification: ok === undefined ? undefined : { id, at: endedAt, ok, problems: [], tables: 1, rows: 1, tookMs: 1 },
    };
  };
  const read = (sets: BackupSet[]) =>
    reader(backupAge, { clock, backups: { list: () => Promise.resolve(sets) } as unknown as BackupStore })();

  test('is well after a night', async () => {
    const { values, verdicts } = await read([set(1, 31 * hourMs, true), set(2, 7 * hourMs, true)]);
    expect(values).toEqual({ complete_age_ms: 7 * hourMs, verified_age_ms: 7 * hourMs, sets: 2 });
    expect(verdicts).toEqual({ 'backup-age': 'ok', 'backup-verified': 'ok', 'backup-none': 'ok' });
  });
  test('goes by sequence, not by clock', async () => {
    expect((await read([set(2, 30 * hourMs, true), set(1, 7 * hourMs, true)])).values['complete_age_ms']).toBe(
      30 * hourMs,
    );
  });
  test('rings after 26 hours', async () => {
    expect((await read([set(1, 26.1 * hourMs, true)])).verdicts['backup-age']).toBe('warning');
    expect((await read([set(1, 51 * hourMs, true)])).verdicts['backup-age']).toBe('critical');
  });
  test('a set that failed its test proves nothing, and never verified counts from the oldest', async () => {
    const { values, verdicts, notes } = await read([set(1, 60 * hourMs, false), set(2, hourMs)]);
    expect(values['verified_age_ms']).toBe(60 * hourMs);
    expect(notes['verified_age_ms']).toBe('never verified');
    expect(verdicts).toMatchObject({ 'backup-age': 'ok', 'backup-verified': 'warning' });
  });
  test('none at all is a verdict, not an error', async () => {
    expect((await read([])).verdicts).toEqual({ 'backup-none': 'warning' });
  });
});
