import type Database from 'better-sqlite3';
import { canonicalJson } from '#domain/canonical.ts';
import type { EpochMs } from '#domain/clock.ts';
import type { Batch, InboxItem, NewInboxItem, RoomFacts, SealedHead } from '#domain/inbox.ts';
import type { RoomId } from '#domain/rooms.ts';
import type { Tables } from './tables.ts';

// A stranger may fill a room with what nobody can read.
const mostSealed = 200;

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

  positionAt(stream: string): EpochMs | undefined {
    const at = this.#db.prepare('SELECT at FROM position WHERE stream = ?').pluck().get(stream);
    return (at as EpochMs | null | undefined) ?? undefined;
  }

  roomFacts(room: RoomId): RoomFacts | undefined {
    const text = this.#db.prepare('SELECT facts FROM room_facts WHERE room = ?').pluck().get(room);
    return text === undefined ? undefined : (JSON.parse(text as string) as RoomFacts);
  }

  take(batch: Batch): InboxItem[] {
    const first = this.#nextId;
    try {
      return this.#take(batch);
    } catch (error) {
      // Rolled back: the numbers are given again.
      this.#nextId = first;
      throw error;
    }
  }

  #take(batch: Batch): InboxItem[] {
    return this.#db.transaction(() => {
      const putPosition = this.#db.prepare('INSERT OR REPLACE INTO position (stream, position, at) VALUES (?, ?, ?)');
      putPosition.run(batch.stream, batch.position, batch.at ?? null);
      if (batch.keys !== undefined) putPosition.run('keys', batch.keys, null);
      const putFacts = this.#db.prepare('INSERT OR REPLACE INTO room_facts (room, facts) VALUES (?, ?)');
      for (const facts of batch.rooms) putFacts.run(facts.room, canonicalJson(facts));
      const taken: InboxItem[] = [];
      for (const item of batch.items) {
        const row: InboxItem = { ...item, lateMs: item.lateMs ?? 0, id: this.#nextId, state: 'new', run: undefined };
        if (!this.#tables.inbox.insertNew(row)) continue;
        this.#nextId += 1;
        taken.push(row);
      }
      this.#keepSealed(batch);
      return taken;
    })();
  }

  #keepSealed({ sealed = [], takenBack = [] }: Batch): void {
    for (const item of sealed) {
      if (
        this.#tables.inbox.insertNew({
          ...item,
          lateMs: item.lateMs ?? 0,
          id: this.#nextId,
          state: 'sealed',
          run: undefined,
        })
      )
        this.#nextId += 1;
    }
    const drop = this.#db.prepare(`UPDATE inbox SET state = 'ignored' WHERE key = ? AND state = 'sealed'`);
    for (const key of takenBack) drop.run(key);
    if (sealed.length === 0) return;
    // Whoever has most of them loses first: a flood must not push out what others said.
    const rank = `row_number() OVER (PARTITION BY sender ORDER BY id DESC)`;
    const old = `SELECT id FROM inbox WHERE state = 'sealed' ORDER BY ${rank}, id DESC LIMIT -1 OFFSET ${mostSealed}`;
    this.#db.exec(`UPDATE inbox SET state = 'ignored' WHERE id IN (${old})`);
  }

  sealedItems(): InboxItem[] {
    return this.#tables.inbox.all(`WHERE state = 'sealed' ORDER BY id`);
  }

  sealedHeads(): SealedHead[] {
    const sql = `SELECT key, sender, taken_at AS takenAt FROM inbox WHERE state = 'sealed' ORDER BY id`;
    return this.#db.prepare(sql).all() as SealedHead[];
  }

  /** Over the same row, so that the event stays one whatever became of it. */
  unseal(id: number, item: NewInboxItem | undefined): InboxItem | undefined {
    const [row] = this.#tables.inbox.all(`WHERE id = ? AND state = 'sealed'`, id);
    if (row === undefined) return undefined;
    const read: InboxItem = { ...row, ...item, takenAt: row.takenAt, state: item ? 'new' : 'ignored' };
    this.#tables.inbox.put(read);
    return item && read;
  }

  newItems(limit: number): InboxItem[] {
    return this.#tables.inbox.all(`WHERE state = 'new' ORDER BY id LIMIT ?`, limit);
  }

  byKey(key: string): InboxItem | undefined {
    return this.#tables.inbox.first(`WHERE source IN ('matrix', 'schedule', 'shell') AND key = ?`, key);
  }

  depth(): number {
    return this.#db.prepare(`SELECT count(*) FROM inbox WHERE state = 'new'`).pluck().get() as number;
  }

  settle(outcome: { id: number; state: 'done' | 'ignored'; run?: number }): boolean {
    const sql = `UPDATE inbox SET state = ?, run = ? WHERE id = ? AND state = 'new'`;
    return this.#db.prepare(sql).run(outcome.state, outcome.run ?? null, outcome.id).changes === 1;
  }
}
