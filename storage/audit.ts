import type Database from 'better-sqlite3';
import type { UserId } from '#domain/accounts.ts';
import { type AuditEntry, auditGenesis, type AuditLink, type AuditRow, chainAudit } from '#domain/audit.ts';
import type { AuditSeal } from '#domain/audit-seal.ts';
import { canonicalJson } from '#domain/canonical.ts';

type SqlAudit = {
  seq: number;
  at: number;
  actor: UserId;
  site: string;
  run: number | null;
  incident: number | null;
  act: string;
  outcome: string;
  detail_hash: string;
  prev: string;
  hash: string;
  json: string | null;
};

const rowOf = (sql: SqlAudit): AuditRow => ({
  seq: sql.seq,
  at: sql.at,
  actor: sql.actor,
  site: sql.site,
  run: sql.run ?? undefined,
  incident: sql.incident ?? undefined,
  act: sql.act,
  outcome: sql.outcome,
  detailHash: sql.detail_hash,
  prev: sql.prev,
  hash: sql.hash,
  detail: sql.json === null ? undefined : JSON.parse(sql.json),
});
type RawLink = [
  seq: number,
  at: number,
  actor: UserId,
  site: string,
  run: number | null,
  incident: number | null,
  act: string,
  outcome: string,
  detailHash: string,
  prev: string,
  hash: string,
  text: string | null,
];
// A million of them are walked: columns by place, half as dear as by name.
const linkOf = (raw: RawLink): AuditLink => ({
  seq: raw[0],
  at: raw[1],
  actor: raw[2],
  site: raw[3],
  run: raw[4] ?? undefined,
  incident: raw[5] ?? undefined,
  act: raw[6],
  outcome: raw[7],
  detailHash: raw[8],
  prev: raw[9],
  hash: raw[10],
  text: raw[11] ?? undefined,
});
const pieceRows = 1000;
const links = `SELECT audit.seq, at, actor, site, run, incident, act, outcome, detail_hash, prev, hash, json
  FROM audit LEFT JOIN audit_detail USING (seq)`;
const select = 'SELECT audit.*, audit_detail.json FROM audit LEFT JOIN audit_detail USING (seq)';

/** The hash chain of what was done and by whom. */
export class SqliteAudit {
  readonly #db: Database.Database;
  #head: { seq: number; hash: string };

  constructor(db: Database.Database) {
    this.#db = db;
    this.#head = this.#readHead();
  }

  #readHead(): { seq: number; hash: string } {
    const row = this.#db.prepare('SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1').get();
    return (row as { seq: number; hash: string } | undefined) ?? { seq: 0, hash: auditGenesis };
  }

  /** Inside the caller's transaction. A rolled-back one must call `rewind`. */
  append(entry: AuditEntry): void {
    const row = chainAudit(entry, this.#head);
    this.#db
      .prepare(
        `INSERT INTO audit (seq, at, actor, site, run, incident, act, outcome, detail_hash, prev, hash)
         VALUES (@seq, @at, @actor, @site, @run, @incident, @act, @outcome, @detailHash, @prev, @hash)`,
      )
      .run({ ...row, run: row.run ?? null, incident: row.incident ?? null, detail: null });
    this.#db.prepare('INSERT INTO audit_detail (seq, json) VALUES (?, ?)').run(row.seq, canonicalJson(entry.detail));
    this.#head = { seq: row.seq, hash: row.hash };
  }

  rewind(): void {
    this.#head = this.#readHead();
  }

  head(): { seq: number; hash: string } {
    return this.#head;
  }

  row(seq: number): { seq: number; hash: string } | undefined {
    return this.#db.prepare('SELECT seq, hash FROM audit WHERE seq = ?').get(seq) as
      | { seq: number; hash: string }
      | undefined;
  }

  seals(after = 0): AuditSeal[] {
    const rows = this.#db.prepare('SELECT seq, hash, at, note, outbox FROM audit_heads WHERE seq > ? ORDER BY seq');
    return (rows.all(after) as Array<Omit<AuditSeal, 'outbox'> & { outbox: number | null }>).map((row) => ({
      ...row,
      outbox: row.outbox ?? undefined,
    }));
  }

  putSeal(seal: AuditSeal): void {
    const sql =
      'INSERT OR REPLACE INTO audit_heads (seq, hash, at, note, outbox) VALUES (@seq, @hash, @at, @note, @outbox)';
    this.#db.prepare(sql).run({ ...seal, outbox: seal.outbox ?? null });
  }

  find(filter: { actor?: UserId; act?: string; run?: number; limit?: number }): AuditRow[] {
    const sql = `${select}
      WHERE (@actor IS NULL OR actor = @actor) AND (@act IS NULL OR instr(lower(act), lower(@act)) = 1) AND (@run IS NULL OR run = @run)
      ORDER BY seq DESC LIMIT @limit`;
    const parameters = {
      actor: filter.actor ?? null,
      act: filter.act ?? null,
      run: filter.run ?? null,
      limit: filter.limit ?? 20,
    };
    return this.#db
      .prepare(sql)
      .all(parameters)
      .map((row) => rowOf(row as SqlAudit));
  }

  *all(after = 0): IterableIterator<AuditLink> {
    // In pieces, so that the file can be written meanwhile.
    const piece = this.#db.prepare(`${links} WHERE audit.seq > ? ORDER BY audit.seq LIMIT ${pieceRows}`).raw();
    for (let behind = after; ;) {
      const rows = piece.all(behind) as RawLink[];
      for (const row of rows) yield linkOf(row);
      const last = rows.at(-1);
      if (last === undefined) return;
      behind = last[0];
    }
  }
}
