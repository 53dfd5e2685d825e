import { readdirSync, readFileSync } from 'node:fs';
import type Database from 'better-sqlite3';
import { OpsError } from '#domain/errors.ts';

const folder = new URL('./migrations/', import.meta.url);

/** Brings the database up to this version, one transaction per file. Refuses one that a newer version has written. */
export function migrate(db: Database.Database): void {
  const files = readdirSync(folder)
    .filter((name) => name.endsWith('.sql'))
    .sort();
  const version = db.pragma('user_version', { simple: true }) as number;
  if (version > files.length) {
    throw new OpsError('misconfigured', `The data was written by a newer version of Opsroom (schema ${version}).`, {
      hint: 'Start the newer version, or point dataDir somewhere else.',
    });
  }
  files.slice(version).forEach((name, index) => {
    const sql = readFileSync(new URL(name, folder), 'utf8');
    db.transaction(() => {
      db.exec(sql);
      db.pragma(`user_version = ${version + index + 1}`);
    })();
  });
}
