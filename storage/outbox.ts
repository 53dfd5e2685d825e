import type Database from 'better-sqlite3';
import { canonicalJson } from '#domain/canonical.ts';
import type { EpochMs } from '#domain/clock.ts';
import type { NewOutboxRow, OutboxOutcome, OutboxRow, OutboxState } from '#domain/outbox.ts';
import type { Tables } from './tables.ts';

/** What is to be said, in order per lane. `instance` makes transaction ids unique over lost and put back databases. */
export class SqliteOutbox {
  readonly #db: Database.Database;
  readonly #tables: Tables;
  readonly #instance: string;

  constructor(db: Database.Database, tables: Tables, instance: string) {
    this.#db = db;
    this.#tables = tables;
    this.#instance = instance;
  }

  /** A row that was tried once may already be in the room, so only an untried one is overwritten. */
  put(row: NewOutboxRow): void {
    const untried = `state = 'pending' AND attempts = 0`;
    const target =
      (row.replaces === undefined
        ? undefined
        : this.#tables.outbox.first(`WHERE id = ? AND ${untried}`, row.replaces)) ??
      (row.collapse === undefined
        ? undefined
        : this.#tables.outbox.first(
            `WHERE collapse = ? AND lane = ? AND ${untried} ORDER BY id DESC LIMIT 1`,
            row.collapse,
            row.lane,
          ));
    if (target !== undefined && target.content.kind === row.content.kind) {
      // A transaction of its own: had the old one been sent after all (a power cut forgot it), this would be swallowed.
      this.#db
        .prepare('UPDATE outbox SET content = ?, due_at = min(due_at, ?), txn = ?, fallback_at = NULL WHERE id = ?')
        .run(canonicalJson(row.content), row.dueAt, this.#txn(row.id), target.id);
      return;
    }
    this.#tables.outbox.insert({
      ...row,
      txn: this.#txn(row.id),
      state: 'pending',
      attempts: 0,
      firstTryAt: undefined,
      fallbackAt: undefined,
      eventId: undefined,
      error: undefined,
    });
  }

  #txn = (id: number): string => `${this.#instance}.${id}`;

  due(now: EpochMs, limit: number): OutboxRow[] {
    const heads = `SELECT min(id) FROM outbox WHERE state = 'pending' GROUP BY lane`;
    // A page goes before everything else that waits.
    const order = `ORDER BY lane LIKE 'page:%' DESC, id`;
    return this.#tables.outbox.all(`WHERE id IN (${heads}) AND due_at <= ? ${order} LIMIT ?`, now, limit);
  }

  nextDue(): EpochMs | undefined {
    const heads = `SELECT min(id) FROM outbox WHERE state = 'pending' GROUP BY lane`;
    const due = this.#db.prepare(`SELECT min(due_at) FROM outbox WHERE id IN (${heads})`).pluck().get() as
      | number
      | null;
    return due ?? undefined;
  }

  row(id: number): OutboxRow | undefined {
    return this.#tables.outbox.first('WHERE id = ?', id);
  }

  byEvent(event: string): OutboxRow | undefined {
    return this.#tables.outbox.first('WHERE event_id = ?', event);
  }

  about(about: OutboxRow['about']): OutboxRow[] {
    return this.#tables.outbox.all('WHERE about = ? ORDER BY id', canonicalJson(about));
  }

  noteAttempt(id: number, at: EpochMs): void {
    this.#db
      .prepare('UPDATE outbox SET attempts = attempts + 1, first_try_at = coalesce(first_try_at, ?) WHERE id = ?')
      .run(at, id);
  }

  /** This row is in the room as that event, though its sending may not have been answered yet. */
  said(txn: string, event: string): void {
    const [, id] = txn.split('.');
    const sql = 'UPDATE outbox SET event_id = ? WHERE id = ? AND txn = ? AND event_id IS NULL';
    this.#db.prepare(sql).run(event, Number(id), txn);
  }

  /** What was dropped while it was being tried is not brought back by the end of that try, unless it is in the room. */
  settle(id: number, state: OutboxState, set: OutboxOutcome): void {
    this.#db
      .prepare(
        `UPDATE outbox SET state = ?, event_id = coalesce(?, event_id), error = ?, due_at = coalesce(?, due_at),
         attempts = attempts - ? WHERE id = ? AND (? <> 'pending' OR state = 'pending')`,
      )
      .run(state, set.eventId ?? null, set.error ?? null, set.dueAt ?? null, set.refused ? 1 : 0, id, state);
  }

  /** A refused row counts as untried. */
  hasten(now: EpochMs): number {
    const sql = `UPDATE outbox SET due_at = @now WHERE state = 'pending' AND attempts > 0 AND due_at > @now`;
    return this.#db.prepare(sql).run({ now }).changes;
  }

  stuckPages(before: EpochMs): OutboxRow[] {
    const waits = `state = 'pending' AND lane LIKE 'page:%' AND fallback_at IS NULL`;
    return this.#tables.outbox.all(`WHERE ${waits} AND coalesce(first_try_at, due_at) <= ? ORDER BY id`, before);
  }

  missed(): OutboxRow[] {
    return this.#tables.outbox.all(`WHERE state = 'missed' ORDER BY id`);
  }

  noteFallback(ids: readonly number[], at: EpochMs): void {
    const sql = this.#db.prepare('UPDATE outbox SET fallback_at = ? WHERE id = ?');
    this.#db.transaction(() => ids.forEach((id) => sql.run(at, id)))();
  }

  depth(): { pending: number; oldestAt: EpochMs | undefined } {
    const row = this.#db
      .prepare(`SELECT count(*) AS pending, min(coalesce(first_try_at, due_at)) AS oldest
         FROM outbox WHERE state = 'pending'`)
      .get() as { pending: number; oldest: number | null };
    return { pending: row.pending, oldestAt: row.oldest ?? undefined };
  }
}
