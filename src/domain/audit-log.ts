import type { UserId } from './accounts.ts';
import type { AuditRow, AuditVerdict } from './audit.ts';

export type AuditFilter = { actor?: UserId; act?: string; run?: number; limit?: number };
/** `since`: the walk began behind this row; the ones before it were found good by an earlier one. */
export type AuditLook = { verdict: AuditVerdict; since: number; fingerprint: string };
export type AuditFile = { path: string; rows: number; fingerprint: string; verdict: AuditVerdict };

/** The record as commands see it; the engine implements it. */
export interface AuditLog {
  /** Newest first. */
  find(filter: AuditFilter): AuditRow[];
  /** Holds what came since the last look against chain and seals. */
  look(): AuditLook;
  /** From the first row; apart from the loop, since a million of them take seconds. */
  lookWhole(): Promise<AuditLook>;
  /** The record in a file that can be verified without the bot. Writes down who wanted it. */
  export(by: UserId): Promise<AuditFile>;
}

/** One thing that was done or wanted: its rows from the asking to the end. */
export type Act = { newest: AuditRow; rows: AuditRow[] };

/** Rows of one run are one act. Newest first, as the rows are. */
export function actsOf(rows: readonly AuditRow[], most: number): Act[] {
  const acts = new Map<string, Act>();
  for (const row of rows) {
    const key = row.run === undefined ? `seq ${row.seq}` : `run ${row.site} ${row.run}`;
    const act = acts.get(key);
    if (act) act.rows.push(row);
    else if (acts.size < most) acts.set(key, { newest: row, rows: [row] });
  }
  return [...acts.values()];
}

/** Who said yes or no to it, beside the one who asked. */
export function votersOf({ rows }: Act): UserId[] {
  const asker = rows.at(-1)?.actor;
  return [...new Set(rows.map(({ actor }) => actor))].filter((actor) => actor !== asker);
}
