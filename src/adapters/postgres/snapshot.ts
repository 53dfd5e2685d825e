import { type Session, ask, soonMs } from './session.ts';

/** Of no use any more when it takes longer: the connection is closed next. */
const rollbackMs = 5000;

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
  ask<Table>(session, tablesQuery, signal, soonMs);

const counting = (table: Table): string => `SELECT count(*) AS n FROM ${table.name}`;

/** Exact rows of each table. */
export async function countRows(
  session: Session,
  tables: readonly Table[],
  signal: AbortSignal,
): Promise<Record<string, number>> {
  const rows: Record<string, number> = {};
  for (const table of tables) {
    const [counted] = await ask<{ n: string }>(session, counting(table), signal);
    rows[table.name] = Number(counted?.n);
  }
  return rows;
}

export type Snapshot = { id: string; tables: Table[] };

/**
 * Holds a snapshot open while `use` runs: what is counted in it is what a dump with `--snapshot` sees, whatever is
 * written meanwhile (reliability-goals, finding 3). This transaction touches no table, so it locks none.
 */
export async function withSnapshot<T>(
  session: Session,
  signal: AbortSignal,
  use: (snapshot: Snapshot) => Promise<T>,
): Promise<T> {
  await ask(session, 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY', signal, soonMs);
  try {
    const [exported] = await ask<{ id: string }>(session, 'SELECT pg_export_snapshot() AS id', signal, soonMs);
    return await use({ id: exported?.id ?? '', tables: await listTables(session, signal) });
  } finally {
    await ask(session, 'ROLLBACK', undefined, rollbackMs).catch(() => undefined);
  }
}

/**
 * Exact rows of each table as the snapshot has them, each in a transaction of its own. A lock kept until the end would
 * stop everything: a DROP TABLE of Synapse's waits for it, pg_dump's own lock waits behind the DROP, and the end of the
 * snapshot waits for pg_dump.
 */
export async function countInSnapshot(
  session: Session,
  snapshot: Snapshot,
  signal: AbortSignal,
): Promise<Record<string, number>> {
  const rows: Record<string, number> = {};
  for (const table of snapshot.tables) {
    await ask(session, 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY', signal, soonMs);
    // Refused when the snapshot's holder is gone, so that nothing is counted outside of it.
    await ask(session, `SET TRANSACTION SNAPSHOT '${snapshot.id}'`, signal);
    const [counted] = await ask<{ n: string }>(session, counting(table), signal);
    await ask(session, 'COMMIT', signal);
    rows[table.name] = Number(counted?.n);
  }
  return rows;
}
