import type Database from 'better-sqlite3';
import { canonicalJson } from '#domain/canonical.ts';
import type { Batch, InboxItem, RoomFacts } from '#domain/inbox.ts';
import type { RoomId } from '#domain/rooms.ts';
import type { Tables } from './tables.ts';

/** What came in, how far each stream was read, and who is in which room. */
export class SqliteInbox {
  readonly #db: Database.Database;
  readonly #tables: Tables;
  #nextId: number;

  constructor(db: Database.Database, tables: Tables) {
    this.#db = db;
    this.#tables = tables;
    this.#nextId = 1 + ((db.prepare('SELECT max(id) FROM inbox').pluck().get() as number | null) ?? 0);
  }

  position(stream: string): string | undefined {
    return this.#db.prepare('SELECT position FROM position WHERE stream = ?').pluck().get(stream) as string | undefined;
  }

  roomFacts(room: RoomId): RoomFacts | undefined {
    const text = this.#db.prepare('SELECT facts FROM room_facts WHERE room = ?').pluck().get(room);
    return text === undefined ? undefined : (JSON.parse(text as string) as RoomFacts);
  }

  take(batch: Batch): InboxItem[] {
    return this.#db.transaction(() => {
      this.#db
        .prepare('INSERT OR REPLACE INTO position (stream, position) VALUES (?, ?)')
        .run(batch.stream, batch.position);
      const putFacts = this.#db.prepare('INSERT OR REPLACE INTO room_facts (room, facts) VALUES (?, ?)');
      for (const facts of batch.rooms) putFacts.run(facts.room, canonicalJson(facts));
      const taken: InboxItem[] = [];
      for (const item of batch.items) {
        const row: InboxItem = { ...item, id: this.#nextId, state: 'new', run: undefined };
        if (!this.#tables.inbox.insertNew(row)) continue;
        this.#nextId += 1;
        taken.push(row);
      }
      return taken;
    })();
  }

  newItems(limit: number): InboxItem[] {
    return this.#tables.inbox.all(`WHERE state = 'new' ORDER BY id LIMIT ?`, limit);
  }

  depth(): number {
    return this.#db.prepare(`SELECT count(*) FROM inbox WHERE state = 'new'`).pluck().get() as number;
  }

  settle(outcome: { id: number; state: 'done' | 'ignored'; run?: number }): boolean {
    const sql = `UPDATE inbox SET state = ?, run = ? WHERE id = ? AND state = 'new'`;
    return this.#db.prepare(sql).run(outcome.state, outcome.run ?? null, outcome.id).changes === 1;
  }
}
