import type Database from 'better-sqlite3';
import type { UserId } from '#domain/accounts.ts';
import { type AuditEntry, auditGenesis, type AuditRow, chainAudit } from '#domain/audit.ts';
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

  *all(): IterableIterator<AuditRow> {
    for (const row of this.#db.prepare(`${select} ORDER BY seq`).iterate()) yield rowOf(row as SqlAudit);
  }
}
