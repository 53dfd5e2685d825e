import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { unsynced } from '#storage/unsynced.ts';

const full = 2;
const normal = 1;
const synchronous = (db: Database.Database): unknown => db.pragma('synchronous', { simple: true });

test('only the one write goes without waiting for the disk, also when it fails', () => {
  const db = new Database(':memory:');
  db.pragma('synchronous = FULL');
  expect(unsynced(db, () => synchronous(db))).toBe(normal);
  expect(synchronous(db)).toBe(full);
  const fail = (): void => void db.exec('INSERT INTO nowhere VALUES (1)');
  expect(() => unsynced(db, fail)).toThrow('no such table');
  expect(synchronous(db)).toBe(full);
  db.close();
});
