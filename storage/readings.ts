import type Database from 'better-sqlite3';
import type { EpochMs } from '#domain/clock.ts';
import type { Reading, Readings } from '#domain/readings.ts';
import { Scrubber } from '#domain/scrubber.ts';
import { unsynced } from './unsynced.ts';

type SqlReading = { series: string; at: number; value: number | null; note: string | null };
const readingOf = (row: unknown): Reading => {
  const { series, at, value, note } = row as SqlReading;
  return { series, at, value: value ?? undefined, note: note ?? undefined };
};

/** The history of the checks. */
export class SqliteReadings implements Readings {
  readonly #db: Database.Database;
  readonly #scrubber: Scrubber;

  constructor(db: Database.Database, scrubber = new Scrubber()) {
    this.#db = db;
    this.#scrubber = scrubber;
  }

  put(site: string, readings: Reading[]): void {
    const insert = this.#db.prepare(
      'INSERT OR REPLACE INTO readings (site, series, at, value, note) VALUES (?, ?, ?, ?, ?)',
    );
    const all = this.#db.transaction(() => {
      for (const { series, at, value, note } of readings) {
        insert.run(site, series, at, value ?? null, note === undefined ? null : this.#scrubber.text(note));
      }
    });
    unsynced(this.#db, all);
  }

  last(site: string, series: string): Reading | undefined {
    const sql = 'SELECT series, at, value, note FROM readings WHERE site = ? AND series = ? ORDER BY at DESC LIMIT 1';
    const row = this.#db.prepare(sql).get(site, series);
    return row === undefined ? undefined : readingOf(row);
  }

  lastOf(site: string, prefix: string): Reading[] {
    const sql = `SELECT series, max(at) AS at, value, note FROM readings
      WHERE site = ? AND series >= ? AND series < ? GROUP BY series`;
    return this.#db.prepare(sql).all(site, prefix, `${prefix}\uffff`).map(readingOf);
  }

  since(site: string, series: string, from: EpochMs): Reading[] {
    const sql = 'SELECT series, at, value, note FROM readings WHERE site = ? AND series = ? AND at >= ? ORDER BY at';
    return this.#db.prepare(sql).all(site, series, from).map(readingOf);
  }

  trim(before: EpochMs): number {
    return this.#db.prepare('DELETE FROM readings WHERE at < ?').run(before).changes;
  }
}
