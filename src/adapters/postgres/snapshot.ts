import { OpsError } from '#domain/errors.ts';
import { type Session, ask } from './session.ts';

export type Table = { name: string; relation: string };

/** Ordinary tables as a dump has them: none of the system's, none that belongs to an extension, no temporary ones. */
const tablesQuery = `
  SELECT format('%I.%I', n.nspname, c.relname) AS name, c.relname AS relation
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND NOT EXISTS (SELECT FROM pg_depend d
      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
  ORDER BY 1`;

export const listTables = (session: Session, signal: AbortSignal): Promise<Table[]> =>
  ask<Table>(session, tablesQuery, signal);

/** Exact rows of each table, in the transaction that the session is in. */
export async function countRows(session: Session, tables: readonly Table[], signal: AbortSignal): Promise<Record<string, number>> {
  const rows: Record<string, number> = {};
  for (const table of tables) {
    const [counted] = await ask<{ n: string }>(session, `SELECT count(*) AS n FROM ${table.name}`, signal);
    rows[table.name] = Number(counted?.n);
  }
  return rows;
}

const snapshotQuery = 'SELECT pg_export_snapshot() AS id, pg_backend_pid() AS pid';

export type Snapshot = { id: string; tables: Table[]; count(signal: AbortSignal): Promise<Record<string, number>> };

/**
 * Holds a snapshot open while `use` runs: what is counted in it is what a dump with `--snapshot` sees, whatever is
 * written meanwhile. reliability-goals, finding 3.
 */
export async function withSnapshot<T>(session: Session, signal: AbortSignal, use: (snapshot: Snapshot) => Promise<T>): Promise<T> {
  await ask(session, 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY', signal);
  try {
    const exported = await ask<{ id: string; pid: number }>(session, snapshotQuery, signal);
    const tables = await listTables(session, signal);
    const result = await use({ id: exported[0]?.id ?? '', tables, count: (countSignal) => countRows(session, tables, countSignal) });
    // The driver connects again by itself when a connection broke, and would have counted outside of the snapshot.
    const [now] = await ask<{ pid: number }>(session, 'SELECT pg_backend_pid() AS pid', signal);
    if (now?.pid !== exported[0]?.pid) throw new OpsError('unavailable', 'The connection that held the snapshot broke off.');
    return result;
  } finally {
    await session.unsafe('ROLLBACK').catch(() => undefined);
  }
}
