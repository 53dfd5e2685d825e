import { randomBytes } from 'node:crypto';
import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import type { EpochMs } from '#domain/clock.ts';
import { OpsError } from '#domain/errors.ts';
import type { SigningKey } from '#domain/audit-seal.ts';
import type { Person } from '#domain/operators.ts';
import type { Scrubber } from '#domain/scrubber.ts';
import { newAuditKey, openAuditKey } from './audit-key.ts';
import { Ballast } from './ballast.ts';
import { Inspector } from './inspect.ts';
import { holdLock } from './instance-lock.ts';
import { SqliteLedger } from './ledger.ts';
import { migrate } from './migrate.ts';
import { SqliteOperators } from './operators.ts';
import { SqliteReadings } from './readings.ts';
import { SealFile } from './seal-file.ts';
import { copyLive } from './spare.ts';
import { Steady, type SteadyLedger } from './steady.ts';
import { keepSums } from './sums.ts';
import { openTables } from './tables.ts';

export type Storage = {
  ledger: SteadyLedger;
  steady: Steady;
  readings: SqliteReadings;
  operators: SqliteOperators;
  auditKey: SigningKey;
  /** The seals of the audit outside of the database. */
  seals: SealFile;
  inspector: Inspector;
  [Symbol.dispose](): void;
};

export type StorageOptions = {
  file: string;
  people?: readonly Person[];
  scrubber?: Scrubber;
  now?: () => EpochMs;
  /** The size of the file that is freed when the disk is full. */
  ballast?: number;
  /** In memory because of this: nothing is written down, so nothing is changed. */
  lost?: string;
};

/**
 * Opens the bot's memory, made when missing. `:memory:` for tests. Throws `held` or `misconfigured`.
 */
export function openStorage(options: StorageOptions): Storage {
  const { file, scrubber } = options;
  const stack = new DisposableStack();
  try {
    if (file !== ':memory:') {
      mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
      const lock = holdLock(dirname(file), options.now?.());
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
    // Of each opening: a copy that was put back counts its rows again, and the homeserver knows their transactions.
    const instance = randomBytes(6).toString('hex');
    const auditKey = file === ':memory:' ? newAuditKey() : openAuditKey(dirname(file));
    const seals = new SealFile(file === ':memory:' ? undefined : join(dirname(file), 'audit-heads'));
    const sqlite = new SqliteLedger(db, openTables(db), instance, scrubber);
    const { lost } = options;
    const steady = new Steady({
      file: lost === undefined ? sqlite : undefined,
      openSpare: () => (lost === undefined ? openSpare(db, instance, scrubber) : sqlite),
      ballast: new Ballast(file === ':memory:' ? undefined : join(dirname(file), 'ballast'), options.ballast),
      ...(options.now && { now: options.now }),
      ...(lost !== undefined && { lost }),
    });
    const disposal = stack.move();
    return {
      ledger: steady.ledger,
      steady,
      readings: new SqliteReadings(db, scrubber),
      operators: new SqliteOperators(db, options.people ?? []),
      auditKey,
      seals,
      inspector: new Inspector(db, file, () => ({ key: auditKey, notes: seals.notes() })),
      [Symbol.dispose]: () => disposal.dispose(),
    };
  } catch (error) {
    stack.dispose();
    throw unopened(error, file);
  }
}

/** A ledger in memory that begins with what is live in that one. */
function openSpare(from: Database.Database, instance: string, scrubber: Scrubber | undefined): SqliteLedger {
  const db = new Database(':memory:');
  migrate(db);
  keepSums(db);
  copyLive(from, db);
  return new SqliteLedger(db, openTables(db), instance, scrubber);
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
