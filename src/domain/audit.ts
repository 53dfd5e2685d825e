import type { UserId } from './accounts.ts';
import { type AuditSeal, openSeal, type SealKey } from './audit-seal.ts';
import { canonicalJson, hashOf, type Json, sha256Hex } from './canonical.ts';
import type { EpochMs } from './clock.ts';

/** Something that somebody did or wanted to do. The detail can be forgotten later: the chain holds its hash only. */
export type AuditEntry = {
  at: EpochMs;
  actor: UserId;
  site: string;
  run: number | undefined;
  incident: number | undefined;
  act: string;
  outcome: string;
  detail: Json;
};
export type AuditRow = Omit<AuditEntry, 'detail'> & {
  seq: number;
  detailHash: string;
  prev: string;
  hash: string;
  /** Undefined when it was deleted. */
  detail: Json | undefined;
};
/** A row with the very text of its detail, which is what the chain is checked on. */
export type AuditLink = Omit<AuditRow, 'detail'> & { text: string | undefined };

/** `prev` of the first row. */
export const auditGenesis = '0'.repeat(64);

/** SHA-256 over the canonical row without its own hash; the detail is in it by its hash. */
export function auditHash(row: Omit<AuditRow, 'hash' | 'detail'>): string {
  const { seq, at, actor, site, run, incident, act, outcome, detailHash, prev } = row;
  // Numbers and texts in an array: JSON as it comes is the canonical one.
  return sha256Hex(
    JSON.stringify([seq, at, actor, site, run ?? null, incident ?? null, act, outcome, detailHash, prev]),
  );
}

export function chainAudit(entry: AuditEntry, last: { seq: number; hash: string }): AuditRow {
  const row = { ...entry, seq: last.seq + 1, detailHash: hashOf(entry.detail), prev: last.hash };
  return { ...row, hash: auditHash(row) };
}

export type AuditVerdict =
  | {
      ok: true;
      rows: number;
      head: string;
      /** How many rows the newest seal covers: what was cut or rewritten behind it can't be seen. */
      sealedTo: number;
      /** Details that were deleted. */
      forgotten: number;
    }
  | { ok: false; seq: number; why: string };

export type AuditWalk = {
  /** In any order, from anywhere: the table, the file beside it, an export. */
  seals?: Iterable<Pick<AuditSeal, 'note'>>;
  key?: SealKey;
  /** A row that was found good before: the walk begins behind it. */
  from?: { seq: number; hash: string } | undefined;
};

const linkTextOf = (row: AuditRow | AuditLink): string | undefined =>
  'text' in row ? row.text : row.detail === undefined ? undefined : canonicalJson(row.detail);

/** The row that a note is about, when nothing else of it can be trusted. */
const claimed = (note: string): number => Number(/^.*\n(\d{1,15})\n/.exec(note)?.[1] ?? 0);

/**
 * Walks the chain from its start and holds it against the seals. Names the first row that is wrong; of a chain that was
 * made anew without the key, the first row behind the last seal that fits.
 */
export function verifyAudit(rows: Iterable<AuditRow | AuditLink>, walk: AuditWalk = {}): AuditVerdict {
  const { key, from } = walk;
  const sealed = new Map<number, string>();
  for (const { note } of walk.seals ?? []) {
    const seal = key && openSeal(note, key);
    if (!seal) return { ok: false, seq: claimed(note), why: 'its seal was not signed by the key of this record' };
    const other = sealed.get(seal.seq);
    if (other !== undefined && other !== seal.hash) {
      return { ok: false, seq: seal.seq, why: 'two seals say different things of it: it was written twice' };
    }
    if (seal.seq > (from?.seq ?? 0)) sealed.set(seal.seq, seal.hash);
  }
  let last = from ?? { seq: 0, hash: auditGenesis };
  let sealedTo = last.seq;
  let forgotten = 0;
  for (const row of rows) {
    if (row.seq !== last.seq + 1) return { ok: false, seq: last.seq + 1, why: 'a row is missing' };
    if (row.prev !== last.hash) return { ok: false, seq: row.seq, why: 'it does not follow the row before it' };
    const text = linkTextOf(row);
    if (text === undefined) forgotten += 1;
    else if (sha256Hex(text) !== row.detailHash) return { ok: false, seq: row.seq, why: 'its detail was changed' };
    if (auditHash(row) !== row.hash) return { ok: false, seq: row.seq, why: 'it was changed' };
    const seal = sealed.get(row.seq);
    if (seal !== undefined) {
      if (seal !== row.hash) {
        const between = sealedTo + 1 === row.seq ? '' : ` (or another up to ${row.seq})`;
        return { ok: false, seq: sealedTo + 1, why: `it is not what was sealed${between}` };
      }
      sealedTo = row.seq;
      sealed.delete(row.seq);
    }
    last = { seq: row.seq, hash: row.hash };
  }
  const cut = Math.max(0, ...sealed.keys());
  if (cut > 0) return { ok: false, seq: last.seq + 1, why: `the record ends before it, and ${cut} rows were sealed` };
  return { ok: true, rows: last.seq, head: last.hash, sealedTo, forgotten };
}
