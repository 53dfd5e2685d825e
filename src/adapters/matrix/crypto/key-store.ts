import { randomUUID } from 'node:crypto';
import { chmodSync, closeSync, openSync, rmSync } from 'node:fs';
import { deserialize, serialize } from 'node:v8';
import Database from 'better-sqlite3';
import { OpsError } from '#domain/errors.ts';
import * as memory from './memory-database.ts';

/** Which device the keys are for; a file that says another one is not this device's. */
export type DeviceOf = { user: string; device: string };

type Change = { database: string; store: string; key: memory.Key | undefined };

/**
 * The keys of one device on disk. The library works on a copy in memory; `commit` writes what a call has changed in ONE
 * transaction, and only then may anything of that call leave the process: else a kill would lose a key for good, or use
 * a message index twice. Never backed up: an older copy does the same harm.
 */
export class KeyStore {
  readonly #db: Database.Database;
  readonly #file: string;
  /** In memory all stores of the process lie in one place: each opening has a name of its own. */
  readonly #prefix = `opsroom-${randomUUID()}`;
  readonly #dirty = new Map<string, Change>();
  readonly #versions = new Map<string, number>();
  #watching = false;

  private constructor(db: Database.Database, file: string) {
    this.#db = db;
    this.#file = file;
  }

  /** Throws `held` when another process has it, `misconfigured` when it can't be used. */
  static open(file: string): KeyStore {
    let db: Database.Database | undefined;
    try {
      if (file !== ':memory:') {
        closeSync(openSync(file, 'a', 0o600));
        chmodSync(file, 0o600);
      }
      db = new Database(file, { timeout: 0 });
      db.pragma('locking_mode = EXCLUSIVE');
      db.pragma('journal_mode = WAL');
      db.pragma('synchronous = FULL');
      db.exec(`
        CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
        CREATE TABLE IF NOT EXISTS databases (name TEXT PRIMARY KEY, version INTEGER NOT NULL, shape TEXT NOT NULL) STRICT;
        CREATE TABLE IF NOT EXISTS records (
          database TEXT NOT NULL, store TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL,
          PRIMARY KEY (database, store, key)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS heard (
          session TEXT NOT NULL, message INTEGER NOT NULL, event TEXT NOT NULL, PRIMARY KEY (session, message)
        ) STRICT, WITHOUT ROWID;
      `);
      // Takes the lock now, and not at the first write.
      db.exec('BEGIN IMMEDIATE; COMMIT');
      return new KeyStore(db, file);
    } catch (error) {
      db?.close();
      throw unopened(error, file);
    }
  }

  /** Where the library finds it. */
  get name(): string {
    return this.#prefix;
  }

  note(name: string): string | undefined {
    return this.#db.prepare('SELECT value FROM meta WHERE name = ?').pluck().get(name) as string | undefined;
  }

  /** Which device the keys are for, and all of them: on disk when this resolves. Throws `unavailable` when that can't be. */
  async begin(of: DeviceOf): Promise<void> {
    try {
      this.#putNote('device', JSON.stringify(of));
      await this.#watch();
    } catch (error) {
      throw unopened(error, this.#file);
    }
  }

  #putNote(name: string, value: string): void {
    this.#db.prepare('INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)').run(name, value);
  }

  /** How often something was written: an older copy of the file has a smaller number. */
  get age(): number {
    return Number(this.note('age') ?? 0);
  }

  /** The file of another device makes place for an empty one. */
  anew(): KeyStore {
    this.close();
    for (const end of ['', '-wal', '-shm']) rmSync(this.#file + end, { force: true });
    return KeyStore.open(this.#file);
  }

  deviceOf(): DeviceOf | undefined {
    const text = this.note('device');
    return text === undefined ? undefined : (JSON.parse(text) as DeviceOf);
  }

  /** Under which event this message of a session was heard first; this one, when it is new. */
  firstHeard(session: string, message: number, event: string): string {
    const known = this.#db.prepare('SELECT event FROM heard WHERE session = ? AND message = ?').pluck();
    const before = known.get(session, message) as string | undefined;
    if (before !== undefined) return before;
    this.#db.pragma('synchronous = NORMAL');
    try {
      this.#db.prepare('INSERT INTO heard (session, message, event) VALUES (?, ?, ?)').run(session, message, event);
    } finally {
      this.#db.pragma('synchronous = FULL');
    }
    return event;
  }

  /** No keys yet: never used, or lost. */
  get isEmpty(): boolean {
    return this.#db.prepare('SELECT count(*) FROM databases').pluck().get() === 0;
  }

  /** Before the library opens it: what is on disk comes into memory. */
  async hydrate(): Promise<void> {
    const rows = this.#db.prepare('SELECT name, version, shape FROM databases').all() as Array<{
      name: string;
      version: number;
      shape: string;
    }>;
    for (const { name, version, shape } of rows) {
      const database = await memory.makeDatabase(this.#prefix + name, version, JSON.parse(shape) as memory.Shape);
      const records = this.#db.prepare('SELECT store, key, value FROM records WHERE database = ?').all(name) as Array<{
        store: string;
        key: string;
        value: Buffer;
      }>;
      for (const { store, key, value } of records) {
        const place = database.rawObjectStores.get(store);
        place?.storeRecord({ key: JSON.parse(key) as memory.Key, value: deserialize(value) });
      }
      this.#versions.set(name, version);
    }
  }

  /** After the library opened it: from now on changes are noted. What it upgraded is written whole. */
  async #watch(): Promise<void> {
    await memory.settled(this.#prefix);
    for (const database of memory.databasesOf(this.#prefix)) {
      const name = this.#nameOf(database);
      for (const store of database.rawObjectStores.values()) {
        memory.watchStore(store, (key) => this.#changed(name, store.name, key));
      }
      // An opening that has upgraded nothing may still have written; the records are few.
      for (const store of database.rawObjectStores.keys()) this.#changed(name, store, undefined);
    }
    this.#watching = true;
    await this.commit();
  }

  #nameOf = (database: memory.RawDatabase): string => database.name.slice(this.#prefix.length);

  #changed(database: string, store: string, key: memory.Key | undefined): void {
    this.#dirty.set(JSON.stringify([database, store, key ?? null]), { database, store, key });
  }

  /**
   * Writes all that was changed since the last time, in one transaction. What throws here ends the store's life. Unless
   * `lasting`, a power cut may take it back, never a kill: it spares the reply a write to the platter.
   */
  async commit(lasting = true): Promise<void> {
    if (!this.#watching) return;
    await memory.settled(this.#prefix);
    if (this.#dirty.size === 0) return;
    const dirty = [...this.#dirty.values()];
    this.#dirty.clear();
    if (!lasting) this.#db.pragma('synchronous = NORMAL');
    try {
      this.#write(dirty, lasting);
    } finally {
      this.#db.pragma('synchronous = FULL');
    }
  }

  #write(dirty: Change[], lasting: boolean): void {
    this.#db.transaction(() => {
      for (const database of memory.databasesOf(this.#prefix)) this.#putShape(database);
      for (const change of dirty) this.#put(change);
      // Only what lasts counts: the bot's memory may outlive the rest.
      if (lasting) this.#putNote('age', String(this.age + 1));
    })();
  }

  #putShape(database: memory.RawDatabase): void {
    const name = this.#nameOf(database);
    if (this.#versions.get(name) === database.version) return;
    this.#db
      .prepare('INSERT OR REPLACE INTO databases (name, version, shape) VALUES (?, ?, ?)')
      .run(name, database.version, JSON.stringify(memory.shapeOf(database)));
    this.#versions.set(name, database.version);
  }

  /** The value as it stands now: of a transaction that was rolled back, that is the one before. */
  #put({ database, store, key }: Change): void {
    const place = memory
      .databasesOf(this.#prefix)
      .find((one) => this.#nameOf(one) === database)
      ?.rawObjectStores.get(store);
    const insert = this.#db.prepare('INSERT OR REPLACE INTO records (database, store, key, value) VALUES (?, ?, ?, ?)');
    if (key === undefined) {
      this.#db.prepare('DELETE FROM records WHERE database = ? AND store = ?').run(database, store);
      for (const record of place?.records.values() ?? [])
        insert.run(database, store, JSON.stringify(record.key), serialize(record.value));
      return;
    }
    const record = place?.records.get(key);
    if (record) insert.run(database, store, JSON.stringify(key), serialize(record.value));
    else
      this.#db
        .prepare('DELETE FROM records WHERE database = ? AND store = ? AND key = ?')
        .run(database, store, JSON.stringify(key));
  }

  close(): void {
    memory.forget(this.#prefix);
    this.#db.close();
  }
}

// The disk's trouble, not the file's: it may be over the next time.
const passing = /^(SQLITE_(FULL|IOERR|READONLY|CANTOPEN)|ENOSPC|EROFS|EIO|EDQUOT)/;

/** Any other error as it is. */
function unopened(error: unknown, file: string): unknown {
  const code = (error as { code?: unknown }).code;
  if (typeof code !== 'string') return error;
  if (code === 'SQLITE_BUSY') {
    return new OpsError('held', `Another process has the bot's keys (${file}) open.`, {
      hint: 'Stop that one first. Two processes with the same keys would make messages unreadable.',
      cause: error,
    });
  }
  const kind = passing.test(code) ? 'unavailable' : 'misconfigured';
  return new OpsError(kind, `The bot's keys ${file} cannot be opened (${code}).`, {
    hint: /^SQLITE_(NOTADB|CORRUPT)/.test(code)
      ? 'They are damaged. Move the file away and start again: the bot then needs a new login, and says so.'
      : 'Look at the disk and the rights of dataDir; nothing was changed.',
    cause: error,
  });
}
