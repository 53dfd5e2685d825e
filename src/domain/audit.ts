import type { UserId } from './accounts.ts';
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

/** `prev` of the first row. */
export const auditGenesis = '0'.repeat(64);

/** SHA-256 over the canonical row without its own hash; the detail is in it by its hash. */
export function auditHash(row: Omit<AuditRow, 'hash' | 'detail'>): string {
  const { seq, at, actor, site, run, incident, act, outcome, detailHash, prev } = row;
  return sha256Hex(
    canonicalJson([seq, at, actor, site, run ?? null, incident ?? null, act, outcome, detailHash, prev]),
  );
}

export function chainAudit(entry: AuditEntry, last: { seq: number; hash: string }): AuditRow {
  const row = { ...entry, seq: last.seq + 1, detailHash: hashOf(entry.detail), prev: last.hash };
  return { ...row, hash: auditHash(row) };
}

export type AuditVerdict = { ok: true; rows: number; head: string } | { ok: false; seq: number; why: string };

/** Walks the chain from its start. Names the first row that is wrong. */
export function verifyAudit(rows: Iterable<AuditRow>): AuditVerdict {
  let last = { seq: 0, hash: auditGenesis };
  for (const row of rows) {
    if (row.seq !== last.seq + 1) return { ok: false, seq: last.seq + 1, why: 'a row is missing' };
    if (row.prev !== last.hash) return { ok: false, seq: row.seq, why: 'it does not follow the row before it' };
    if (row.detail !== undefined && hashOf(row.detail) !== row.detailHash) {
      return { ok: false, seq: row.seq, why: 'its detail was changed' };
    }
    if (auditHash(row) !== row.hash) return { ok: false, seq: row.seq, why: 'it was changed' };
    last = { seq: row.seq, hash: row.hash };
  }
  return { ok: true, rows: last.seq, head: last.hash };
}
