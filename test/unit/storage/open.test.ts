import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openStorage } from '#storage/open.ts';
import { idOf, person } from '#test/fakes/house.ts';
import { row } from '#test/fixtures/outbox-rows.ts';

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'opsroom-storage-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));
const file = (): string => join(folder, 'data', 'opsroom.db');

describe('opening', () => {
  test('makes the folder, for nobody else to read, and remembers', () => {
    using first = openStorage({ file: file() });
    expect(statSync(join(folder, 'data')).mode & 0o777).toBe(0o700);
    expect(first.ledger.reserve('outbox')).toBe(1);
    first.ledger.commit({ at: 1, outbox: [row(1)], switches: [{ name: 'x', value: 1 }], audit: [] });
    const txn = first.ledger.outboxRow(1)?.txn;
    const id = first.ledger.reserve('outbox');
    first[Symbol.dispose]();
    using again = openStorage({ file: file() });
    expect(again.ledger.switch('x')).toBe(1);
    expect(again.ledger.outboxRow(1)?.txn).toBe(txn);
    // What was reserved and never written is given again; what was written never.
    expect(again.ledger.reserve('outbox')).toBe(id);
  });

  test('A6 a second one is told that the first holds it, and harms nothing', () => {
    using first = openStorage({ file: file(), now: () => Date.UTC(2026, 0, 2, 3, 4, 5) });
    expect(() => openStorage({ file: file() })).toThrow(
      expect.objectContaining({
        kind: 'held',
        message: `Another Opsroom is running on ${join(folder, 'data')}: process ${process.pid} on ${hostname()}, since 2026-01-02T03:04:05.000Z.`,
      }),
    );
    first.ledger.commit({ at: 1, switches: [{ name: 'x', value: 1 }] });
    expect(first.ledger.switch('x')).toBe(1);
    first[Symbol.dispose]();
    using second = openStorage({ file: file() });
    expect(second.ledger.switch('x')).toBe(1);
  });

  test('others may read the main file meanwhile', () => {
    using _ = openStorage({ file: file() });
    const reader = new Database(file(), { readonly: true });
    expect(reader.prepare('SELECT count(*) AS n FROM runs').get()).toEqual({ n: 0 });
    reader.close();
  });

  test('every table is strict, and each write is on disk', () => {
    using _ = openStorage({ file: file() });
    const db = new Database(file(), { readonly: true });
    const loose = db
      .prepare(
        `SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND strict = 0 AND name NOT LIKE 'sqlite_%'`,
      )
      .pluck()
      .all();
    expect(loose).toEqual([]);
    expect(db.pragma('journal_mode', { simple: true })).toBe('wal');
    db.close();
  });

  test('what a newer version wrote is refused and left alone', () => {
    openStorage({ file: file() })[Symbol.dispose]();
    const db = new Database(file());
    db.pragma('user_version = 99');
    db.close();
    expect(() => openStorage({ file: file() })).toThrow(
      expect.objectContaining({ kind: 'misconfigured', message: expect.stringContaining('newer version') as string }),
    );
    // The lock is let go.
    const again = new Database(file());
    again.pragma('user_version = 1');
    again.close();
    openStorage({ file: file() })[Symbol.dispose]();
  });

  test('a migration runs once', () => {
    openStorage({ file: file() })[Symbol.dispose]();
    const db = new Database(file(), { readonly: true });
    const migrations = readdirSync(new URL('../../../storage/migrations/', import.meta.url)).length;
    expect(db.pragma('user_version', { simple: true })).toBe(migrations);
    db.close();
    openStorage({ file: file() })[Symbol.dispose]();
  });

  test('a damaged file is an error, and the lock is let go', () => {
    openStorage({ file: file() })[Symbol.dispose]();
    rmSync(`${file()}-wal`, { force: true });
    const db = new Database(file());
    db.close();
    rmSync(file());
    const wreck = new Database(file());
    wreck.exec('CREATE TABLE runs (id)');
    wreck.close();
    expect(() => openStorage({ file: file() })).toThrow('already exists');
    rmSync(file());
    openStorage({ file: file() })[Symbol.dispose]();
  });
});

test('a disk that takes nothing is said to be one, and the change is not half written', () => {
  using storage = openStorage({ file: file() });
  storage.ledger.commit({ at: 1, switches: [{ name: 'x', value: 1 }] });
  const other = new Database(file(), { timeout: 0 });
  other.exec('BEGIN IMMEDIATE');
  const write = (): void => storage.ledger.commit({ at: 1, switches: [{ name: 'x', value: 2 }] });
  expect(write).toThrow(expect.objectContaining({ kind: 'unavailable', hint: 'Look at the disk under dataDir.' }));
  expect(storage.ledger.switch('x')).toBe(1);
  other.close();
  write();
  expect(storage.ledger.switch('x')).toBe(2);
});

describe('operators', () => {
  const fixed = [person('alice', 'owner', ['alice-admin'])];
  test('the fixed ones of the settings and those who came later', () => {
    using storage = openStorage({ file: ':memory:', people: fixed });
    const { operators } = storage;
    operators.add({ user: idOf('bob'), role: 'operator', addedBy: idOf('alice'), at: 5 });
    expect(operators.list().map(({ user, role, fixed: isFixed }) => [user, role, isFixed])).toEqual([
      [idOf('alice'), 'owner', true],
      [idOf('bob'), 'operator', false],
    ]);
    expect(operators.find(idOf('bob'))).toMatchObject({ role: 'operator', addedBy: idOf('alice'), addedAt: 5 });
    expect(operators.find(idOf('alice-admin'))?.user).toBe(idOf('alice'));
    expect(operators.find(idOf('mallory'))).toBeUndefined();
  });

  test('another role replaces the first; a removed one is gone and may come back', () => {
    using storage = openStorage({ file: ':memory:', people: fixed });
    const { operators } = storage;
    for (const role of ['viewer', 'admin'] as const)
      operators.add({ user: idOf('bob'), role, addedBy: idOf('alice'), at: 5 });
    expect(operators.list()).toHaveLength(2);
    expect(operators.find(idOf('bob'))?.role).toBe('admin');
    operators.remove(idOf('bob'), 6);
    expect(operators.find(idOf('bob'))).toBeUndefined();
    operators.remove(idOf('bob'), 7);
    operators.add({ user: idOf('bob'), role: 'viewer', addedBy: idOf('alice'), at: 8 });
    expect(operators.find(idOf('bob'))?.role).toBe('viewer');
  });

  test('the fixed ones are changed in the settings only, under any of their accounts', () => {
    using storage = openStorage({ file: ':memory:', people: fixed });
    const { operators } = storage;
    for (const name of ['alice', 'alice-admin']) {
      expect(() => operators.add({ user: idOf(name), role: 'viewer', addedBy: idOf('bob'), at: 1 }), name).toThrow(
        expect.objectContaining({ kind: 'conflict' }),
      );
      expect(() => operators.remove(idOf(name), 1), name).toThrow(expect.objectContaining({ kind: 'conflict' }));
    }
    expect(operators.find(idOf('alice-admin'))?.role).toBe('owner');
  });

  test('who was added and is in the settings now has the role of the settings', () => {
    const data = file();
    {
      using storage = openStorage({ file: data });
      storage.operators.add({ user: idOf('alice'), role: 'viewer', addedBy: idOf('bob'), at: 1 });
    }
    using storage = openStorage({ file: data, people: fixed });
    expect(storage.operators.list()).toEqual(fixed);
  });
});

test('readings: the last, the last of each, and those since', () => {
  using storage = openStorage({ file: ':memory:' });
  const { readings } = storage;
  const reading = (series: string, at: number, value?: number) => ({
    series,
    at,
    value,
    note: value === undefined ? 'no answer' : undefined,
  });
  readings.put('default', [
    reading('disk.a', 1, 5),
    reading('disk.a', 2),
    reading('disk.b', 1, 7),
    reading('other', 9, 1),
  ]);
  readings.put('staging', [reading('disk.a', 3, 99)]);
  expect(readings.last('default', 'disk.a')).toEqual(reading('disk.a', 2));
  expect(readings.lastOf('default', 'disk.').map(({ series, at }) => [series, at])).toEqual([
    ['disk.a', 2],
    ['disk.b', 1],
  ]);
  expect(readings.since('default', 'disk.a', 2)).toHaveLength(1);
  expect(readings.trim(2)).toBe(2);
  expect(readings.last('default', 'disk.b')).toBeUndefined();
});
