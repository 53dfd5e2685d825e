import type Database from 'better-sqlite3';
import { type AuditVerdict, verifyAudit } from '#domain/audit.ts';
import type { SealKey } from '#domain/audit-seal.ts';
import { SqliteAudit } from './audit.ts';
import { wrongSums } from './sums.ts';

export type Damage = {
  /** What SQLite itself finds wrong: nothing may be written to such a file. */
  structure: string[];
  /** Rows that are not what was written. */
  rows: Array<{ table: string; rows: number }>;
  audit: Extract<AuditVerdict, { ok: false }> | undefined;
};

/** `live`: what is acted on next. `all`: every row; `deep`: every index and the whole record as well. */
export type Scope = 'live' | 'all' | 'deep';

/** The seals that are held against the record, and the key of both. */
export type Witness = { key: SealKey; notes: readonly string[] };

const mostFindings = 5;
// What was cut shows at once, what was changed long ago in the whole walk: that of a thousand rows takes 0.1 s at most.
const newestRows = 1000;
const newestNotes = 100;

/** Looks for what is not as it was written. SQLite alone misses half of all flipped bits. */
export function findDamage(db: Database.Database, scope: Scope, witness: Witness): Damage {
  try {
    const structure = scope === 'live' ? [] : structureOf(db, scope === 'deep' ? 'integrity_check' : 'quick_check');
    if (structure.length > 0) return { structure, rows: [], audit: undefined };
    const rows = wrongSums(db, scope === 'live' ? 'live' : 'all');
    if (scope !== 'deep') return { structure, rows, audit: recentDamage(db, witness) };
    const verdict = walkRecord(db, witness);
    return { structure, rows, audit: verdict.ok ? undefined : verdict };
  } catch (error) {
    // Reading met what no check names: the file is damaged all the same.
    const code = (error as { code?: unknown }).code;
    if (typeof code !== 'string' || !/^SQLITE_(CORRUPT|NOTADB|IOERR|ERROR)/.test(code)) throw error;
    return { structure: [`it cannot be read (${code})`], rows: [], audit: undefined };
  }
}

function structureOf(db: Database.Database, check: 'quick_check' | 'integrity_check'): string[] {
  const found = db.prepare(`PRAGMA ${check}(${mostFindings})`).pluck().all() as string[];
  const orphans = db.pragma('foreign_key_check') as Array<{ table: string }>;
  return [
    ...(found.length === 1 && found[0] === 'ok' ? [] : found),
    ...orphans.slice(0, mostFindings).map(({ table }) => `a row of ${table} belongs to nothing`),
  ];
}

/** From the first row, against all seals. */
export function walkRecord(db: Database.Database, { key, notes }: Witness): AuditVerdict {
  const audit = new SqliteAudit(db);
  return verifyAudit(audit.all(), { key, seals: [...audit.seals(), ...notes.map((note) => ({ note }))] });
}

function recentDamage(db: Database.Database, { key, notes }: Witness): Damage['audit'] {
  const audit = new SqliteAudit(db);
  const head = audit.head();
  const from = head.seq > newestRows ? audit.row(head.seq - newestRows) : undefined;
  const seals = [...audit.seals(from?.seq), ...notes.slice(-newestNotes).map((note) => ({ note }))];
  const verdict = verifyAudit(audit.all(from?.seq), { key, seals, from });
  return verdict.ok ? undefined : verdict;
}

/** In words for people, worst first; empty when there is none. */
export function damageWords({ structure, rows, audit }: Damage): string[] {
  return [
    ...structure.map((what) => `the memory file is damaged: ${what}`),
    ...(audit ? [`the audit record was changed: entry ${audit.seq}: ${audit.why}`] : []),
    ...rows.map((one) => `${one.rows} ${one.rows === 1 ? 'row' : 'rows'} of ${one.table} are not what was written`),
  ];
}
