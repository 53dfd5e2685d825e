import { randomBytes } from 'node:crypto';
import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { OpsError } from '#domain/errors.ts';
import type { SigningKey } from '#domain/audit-seal.ts';
import type { Person } from '#domain/operators.ts';
import type { Scrubber } from '#domain/scrubber.ts';
import { newAuditKey, openAuditKey } from './audit-key.ts';
import { type Damage, findDamage, type Scope } from './damage.ts';
import { SqliteLedger } from './ledger.ts';
import { migrate } from './migrate.ts';
import { SqliteOperators } from './operators.ts';
import { SqliteReadings } from './readings.ts';
import { SealFile } from './seal-file.ts';
import { keepSums } from './sums.ts';
import { openTables } from './tables.ts';

export type Storage = {
  ledger: SqliteLedger;
  readings: SqliteReadings;
  operators: SqliteOperators;
  auditKey: SigningKey;
  /** The seals of the audit outside of the database. */
  seals: SealFile;
  /** What is not as it was written. */
  inspect(scope: Scope): Damage;
  [Symbol.dispose](): void;
};

/**
 * Opens the bot's memory, made when missing. `:memory:` for tests. The instance lock is a tiny database beside it held
 * under `BEGIN EXCLUSIVE`, so it ends with the process and the main file stays readable by others. Throws `held`
 * or `misconfigured`.
 */
export function openStorage(options: { file: string; people?: readonly Person[]; scrubber?: Scrubber }): Storage {
  const { file } = options;
  const stack = new DisposableStack();
  try {
    if (file !== ':memory:') {
      mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
      const lock = holdLock(join(dirname(file), 'instance.lock'));
      stack.defer(() => lock.close());
      makePrivate(file);
    }
    const db = new Database(file, { timeout: 2000 });
    stack.defer(() => db.close());
    db.pragma('journal_mode = WAL');
    // An acknowledged command or alert survives a power cut (finding 9: NORMAL may lose the last commits).
    db.pragma('synchronous = FULL');
    db.pragma('foreign_keys = ON');
    migrate(db);
    keepSums(db);
    const instance = instanceOf(db);
    const auditKey = file === ':memory:' ? newAuditKey() : openAuditKey(dirname(file));
    const seals = new SealFile(file === ':memory:' ? undefined : join(dirname(file), 'audit-heads'));
    const disposal = stack.move();
    return {
      ledger: new SqliteLedger(db, openTables(db), instance, options.scrubber),
      readings: new SqliteReadings(db, options.scrubber),
      operators: new SqliteOperators(db, options.people ?? []),
      auditKey,
      seals,
      inspect: (scope) => findDamage(db, scope, { key: auditKey, notes: seals.notes() }),
      [Symbol.dispose]: () => disposal.dispose(),
    };
  } catch (error) {
    stack.dispose();
    throw unopened(error, file);
  }
}

/** Made before SQLite makes it: the files beside it (-wal, -shm) have the mode of this one. */
function makePrivate(file: string): void {
  closeSync(openSync(file, 'a', 0o600));
  for (const each of [file, `${file}-wal`, `${file}-shm`]) {
    try {
      chmodSync(each, 0o600);
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'ENOENT') throw error;
    }
  }
}

/** What keeps the memory from being opened, in words; anything else as it is. */
function unopened(error: unknown, file: string): unknown {
  const code = (error as { code?: unknown }).code;
  if (error instanceof OpsError || typeof code !== 'string') return error;
  const damaged = /^SQLITE_(NOTADB|CORRUPT)/.test(code);
  if (!damaged && !/^(SQLITE_(READONLY|CANTOPEN|FULL|IOERR)|EACCES|EROFS|ENOSPC|ENOTDIR)/.test(code)) return error;
  return new OpsError('misconfigured', `The bot's memory ${file} cannot be opened (${code}).`, {
    hint: damaged
      ? 'It is damaged. Move it away to begin anew, or put back a copy; nothing was changed.'
      : 'Look at the disk and the rights of dataDir; nothing was changed.',
    cause: error,
  });
}

function holdLock(file: string): Database.Database {
  const lock = new Database(file, { timeout: 0 });
  try {
    lock.exec('BEGIN EXCLUSIVE; CREATE TABLE IF NOT EXISTS holder (pid INTEGER)');
    return lock;
  } catch (error) {
    lock.close();
    if ((error as { code?: string }).code !== 'SQLITE_BUSY') throw error;
    throw new OpsError('held', `Another Opsroom is running on ${dirname(file)}.`, {
      hint: 'Stop that one first, or give this one a dataDir of its own.',
      cause: error,
    });
  }
}

/** A random name that makes this database's transaction ids its own. */
function instanceOf(db: Database.Database): string {
  const stored = db.prepare(`SELECT value FROM switches WHERE name = 'instance'`).pluck().get();
  if (typeof stored === 'string') return JSON.parse(stored) as string;
  const instance = randomBytes(6).toString('hex');
  db.prepare(`INSERT INTO switches (name, value) VALUES ('instance', ?)`).run(JSON.stringify(instance));
  return instance;
}
