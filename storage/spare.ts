import type Database from 'better-sqlite3';
import { liveRows, summedTables } from './sums.ts';

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;
// Their newest row is copied too: ids go on from it.
const numbered = new Set(['inbox', 'runs', 'prompts', 'outbox', 'incidents']);

/** Copies into `to` what the bot acts on next, as far as it can still be read. */
export function copyLive(from: Database.Database, to: Database.Database): void {
  for (const table of [...summedTables(from), 'audit']) {
    try {
      const name = quoted(table);
      const newest = numbered.has(table) ? `OR id = (SELECT max(id) FROM ${name})` : '';
      const where = table === 'audit' ? 'seq = (SELECT max(seq) FROM audit)' : `(${liveRows(table)}) ${newest}`;
      const rows = from.prepare(`SELECT * FROM ${name} WHERE ${where}`).all() as Array<{ [column: string]: unknown }>;
      const [first] = rows;
      if (first === undefined) continue;
      const columns = Object.keys(first);
      const values = columns.map((column) => `@${column}`).join(', ');
      const insert = to.prepare(
        `INSERT OR REPLACE INTO ${name} (${columns.map(quoted).join(', ')}) VALUES (${values})`,
      );
      to.transaction(() => {
        for (const row of rows) insert.run(row);
      })();
    } catch (error) {
      // A table that can't be read any more is left out: the rest still serves.
      if (typeof (error as { code?: unknown }).code !== 'string') throw error;
    }
  }
}
