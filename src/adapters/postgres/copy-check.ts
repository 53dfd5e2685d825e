import { type Manifest, compareRows } from '#domain/backups.ts';
import { type DatabaseAddress, type Session, ask, openSession } from './session.ts';
import { countRows, listTables } from './snapshot.ts';

/** Sequences of Synapse that no column owns, each with what it numbers. */
const synapseSequences = [
  { sequence: 'public.events_stream_seq', table: 'public.events', column: 'stream_ordering' },
  { sequence: 'public.state_group_id_seq', table: 'public.state_groups', column: 'id' },
  { sequence: 'public.event_auth_chain_id', table: 'public.event_auth_chains', column: 'chain_id' },
];

const ownedQuery = `
  SELECT d.objid::regclass::text AS sequence, d.refobjid::regclass::text AS "table", quote_ident(a.attname) AS "column"
  FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
    JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
  WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')`;

export type CopyVerdict = { problems: string[]; tables: number; rows: number };

/** Compares a restored copy with what was counted in the dump's snapshot. */
export async function checkCopy(copy: DatabaseAddress, manifest: Manifest, signal: AbortSignal): Promise<CopyVerdict> {
  const session = openSession(copy);
  try {
    const rows = await countRows(session, await listTables(session, signal), signal);
    const problems = [...compareRows(manifest.database.rows, rows), ...(await checkSequences(session, signal))];
    return { problems, tables: Object.keys(rows).length, rows: Object.values(rows).reduce((sum, n) => sum + n, 0) };
  } finally {
    await session.end({ timeout: 2 });
  }
}

/** A sequence behind its column would hand out an id twice, and Synapse refuses to start. */
async function checkSequences(session: Session, signal: AbortSignal): Promise<string[]> {
  const problems: string[] = [];
  const owned = await ask<{ sequence: string; table: string; column: string }>(session, ownedQuery, signal);
  for (const { sequence, table, column } of [...owned, ...synapseSequences]) {
    const known = `SELECT to_regclass($$${sequence}$$) IS NOT NULL AND to_regclass($$${table}$$) IS NOT NULL AS yes`;
    if ((await ask<{ yes: boolean }>(session, known, signal))[0]?.yes !== true) continue;
    const query = `SELECT s.last_value::text AS at, m.top::text AS top, m.top > s.last_value AS behind
      FROM ${sequence} s, (SELECT max(${column}) AS top FROM ${table}) m`;
    const [found] = await ask<{ at: string; top: string; behind: boolean | null }>(session, query, signal);
    if (found?.behind === true)
      problems.push(`sequence ${sequence} is at ${found.at}, but ${table} already has ${found.top}`);
  }
  return problems;
}
