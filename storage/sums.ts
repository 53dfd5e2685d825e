import { crc32 } from 'node:zlib';
import type Database from 'better-sqlite3';

// The audit is checked by its chain; a reading that rotted is one wrong point in a chart.
const without = new Set(['audit', 'audit_detail', 'audit_heads', 'readings']);

/** What the bot acts on next. Of a table that isn't named here every row is live. */
const live: { [table: string]: string } = {
  inbox: `state NOT IN ('done', 'ignored')`,
  runs: `state IN ('taken', 'asking', 'waiting', 'running', 'stopping')`,
  steps: `run IN (SELECT id FROM runs WHERE state IN ('running', 'stopping'))`,
  prompts: `state = 'open'`,
  votes: `prompt IN (SELECT id FROM prompts WHERE state = 'open')`,
  outbox: `state = 'pending'`,
  incidents: `(state <> 'closed' OR unsaid = 1)`,
  incident_log: `incident IN (SELECT id FROM incidents WHERE state <> 'closed')`,
  pages: `incident IN (SELECT id FROM incidents WHERE state <> 'closed')`,
  holds: 'ended_at IS NULL',
  taken_away: 'returned_at IS NULL',
  slots: `state = 'taken'`,
};
export const liveRows = (table: string): string => live[table] ?? '1';

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;
type Column = { name: string; pk: number };
const columnsOf = (db: Database.Database, table: string): Column[] =>
  db.pragma(`main.table_info(${quoted(table)})`) as Column[];

export function summedTables(db: Database.Database): string[] {
  const sql = `SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name`;
  const names = db.prepare(sql).pluck().all() as string[];
  return names.filter((name) => !without.has(name));
}

/** What the row of `columns` has to have in `sum`. */
function sumOf(columns: readonly Column[], row = ''): string {
  const cells = columns.filter(({ name }) => name !== 'sum').map(({ name }) => row + quoted(name));
  return `row_sum(${cells.join(', ')})`;
}

/** `row_sum`: the CRC-32 of a row's cells. It is there against rot: SQLite itself misses half of all flipped bits. */
export function addRowSum(db: Database.Database): void {
  db.function('row_sum', { varargs: true, deterministic: true }, (...cells: unknown[]) => crc32(JSON.stringify(cells)));
}

/**
 * Gives every row a sum of its cells, kept by triggers of this connection: what another program writes into the file
 * has none, and shows like damage.
 */
export function keepSums(db: Database.Database): void {
  addRowSum(db);
  for (const table of summedTables(db)) {
    const name = quoted(table);
    let columns = columnsOf(db, table);
    if (!columns.some((column) => column.name === 'sum')) {
      db.transaction(() => {
        db.exec(`ALTER TABLE ${name} ADD COLUMN sum INTEGER`);
        db.exec(`UPDATE ${name} SET sum = ${sumOf(columns)}`);
      })();
      columns = columnsOf(db, table);
    }
    const keys = columns.filter(({ pk }) => pk > 0).map((column) => quoted(column.name));
    const same = (keys.length > 0 ? keys : ['rowid']).map((key) => `${key} = NEW.${key}`).join(' AND ');
    const set = `BEGIN UPDATE ${name} SET sum = ${sumOf(columns, 'NEW.')} WHERE ${same}; END`;
    const cells = columns.filter((column) => column.name !== 'sum').map((column) => quoted(column.name));
    db.exec(`CREATE TEMP TRIGGER ${quoted(`${table}_insert_sum`)} AFTER INSERT ON main.${name} ${set}`);
    db.exec(
      `CREATE TEMP TRIGGER ${quoted(`${table}_update_sum`)} AFTER UPDATE OF ${cells.join(', ')} ON main.${name} ${set}`,
    );
  }
}

/** The rows that are no longer what was written, by table. Throws what SQLite throws at a file that it can't read. */
export function wrongSums(db: Database.Database, scope: 'live' | 'all'): Array<{ table: string; rows: number }> {
  return summedTables(db).flatMap((table) => {
    const columns = columnsOf(db, table);
    if (!columns.some(({ name }) => name === 'sum')) return [];
    const where = scope === 'live' ? `(${liveRows(table)}) AND ` : '';
    const sql = `SELECT count(*) FROM ${quoted(table)} WHERE ${where}sum IS NOT ${sumOf(columns)}`;
    const rows = db.prepare(sql).pluck().get() as number;
    return rows > 0 ? [{ table, rows }] : [];
  });
}
