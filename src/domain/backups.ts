import type { EpochMs } from './clock.ts';
import { OpsError } from './errors.ts';

/** A set's id is the name of its directory, `20260801T020000Z-000231`: time for people, sequence for ordering. */
export type BackupId = string & { readonly brand: 'BackupId' };

export type BackupFile = { name: string; bytes: number; sha256: string };
/** Written last into the set: what has no manifest is not a set. */
export type Manifest = {
  format: 1;
  id: BackupId;
  sequence: number;
  site: string;
  startedAt: EpochMs;
  endedAt: EpochMs;
  opsroom: string;
  database: {
    name: string;
    serverVersion: string;
    dumpVersion: string;
    /** Exact rows per table, counted in the dump's own snapshot. */
    rows: Record<string, number>;
    /** Tables dumped without their rows (`rows` says 0); the set's recipe says why. */
    emptied: string[];
    rawBytes: number;
  };
  files: BackupFile[];
};
export type Verification = {
  id: BackupId;
  at: EpochMs;
  ok: boolean;
  /** Empty when all is well; else each difference in words. */
  problems: string[];
  tables: number;
  rows: number;
  tookMs: number;
};
export type BackupSet = { manifest: Manifest; bytes: number; verification: Verification | undefined; path: string };
/** A directory under a set's name whose manifest can't be trusted: bit rot or a hand in it, for a set appears whole. */
export type DamagedSet = { id: BackupId; why: string; path: string };

export type Progress = (done: number, total: number | undefined, what: string) => void;

/** Where the sets lie. A set appears by one rename, or not at all. */
export interface BackupStore {
  /** Newest first, by sequence. */
  list(): Promise<BackupSet[]>;
  damaged(): Promise<DamagedSet[]>;
  /** By id, by its sequence number (`231`), or `latest`. */
  find(id: string): Promise<BackupSet | undefined>;
  freeBytes(): Promise<number>;
  /** Removes what a killed backup left. Gives the names removed. */
  tidy(): Promise<string[]>;
}

/** `keepDays`: older sets go. `minKeep`: so many verified ones stay whatever their age. */
export type Retention = { keepDays: number; minKeep: number };

/** Makes and proves sets of the homeserver's database. */
export interface Backups extends BackupStore {
  /** `each`: a set is to be proved as soon as it is made. */
  readonly verifies: 'each' | 'never';
  /** Throws `conflict` while another one runs. A failed or aborted one leaves nothing under a set's name. */
  make(options: { site: string; signal: AbortSignal; progress: Progress }): Promise<BackupSet>;
  /**
   * Checks every hash, restores into a scratch database, counts, drops it. Stores the verdict beside the set. Throws when
   * it couldn't be tried (`unavailable`, `misconfigured`, `cancelled`): that says nothing about the set.
   */
  verify(id: BackupId, options: { signal: AbortSignal; progress: Progress }): Promise<Verification>;
  /** How long sets are kept; the rule itself is in `retention.ts`. */
  readonly retention: Retention;
  /**
   * Deletes a set, damaged or not. Cut off anywhere it is a whole set or none. Throws `notFound`, and `conflict` for the
   * newest one (the next number is counted from it) and for one that is being verified.
   */
  remove(id: BackupId): Promise<void>;
}

export const newestStays = (id: BackupId): OpsError =>
  new OpsError('conflict', `${id} is the newest backup: it is never removed. It is as it was.`);
export const inUse = (id: BackupId): OpsError =>
  new OpsError('conflict', `${id} is being verified, so it was not removed.`, { hint: 'Try again when that is done.' });

const idPattern = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-(\d{6,})$/;
export const isBackupId = (text: string): text is BackupId => idPattern.test(text);
/** Order is by sequence: clocks jump. */
export const sequenceOf = (id: BackupId): number => Number(idPattern.exec(id)?.[7]);

export function backupIdOf(at: EpochMs, sequence: number): BackupId {
  const time = new Date(at).toISOString().replace(/[-:]|\.\d+/g, '');
  return `${time}-${String(sequence).padStart(6, '0')}` as BackupId;
}

/** What a person means by `text`, among `sets`, newest first. Throws `invalid` for what can't be a set. */
export function pickSet<T extends { id: BackupId }>(sets: readonly T[], text: string): T | undefined {
  const wanted = text.trim();
  if (wanted.toLowerCase() === 'latest') return sets[0];
  if (/^\d{1,9}$/.test(wanted)) return sets.find((set) => sequenceOf(set.id) === Number(wanted));
  const id = wanted.toUpperCase();
  if (!isBackupId(id)) {
    throw new OpsError('invalid', `"${text}" is not a backup.`, {
      hint: 'Write an id like 20260801T020000Z-000231, its last number (231), or latest; !backup list shows them.',
    });
  }
  return sets.find((set) => set.id === id);
}

/**
 * Room that must be free before a backup starts: 1.2 times the last set; without one, a third of the database (a set is
 * about a fifth of it); never less than `floorBytes`. reliability-goals E3.
 */
export function bytesNeeded(known: { lastSetBytes?: number; databaseBytes?: number; floorBytes: number }): number {
  const guess = known.lastSetBytes === undefined ? (known.databaseBytes ?? 0) / 3 : known.lastSetBytes * 1.2;
  return Math.max(known.floorBytes, Math.ceil(guess));
}

/** What differs between the counts of the manifest and those of the restored copy, in words. */
export function compareRows(expected: Record<string, number>, found: Record<string, number>): string[] {
  const names = [...new Set([...Object.keys(expected), ...Object.keys(found)])].sort();
  return names.flatMap((name) => {
    const [want, have] = [expected[name], found[name]];
    if (want === have) return [];
    if (have === undefined) return [`table ${name} is missing from the restored copy (${want} rows expected)`];
    if (want === undefined) return [`table ${name} is in the restored copy and not in the manifest`];
    return [`table ${name} has ${have} rows in the restored copy, ${want} in the manifest`];
  });
}

export const totalRows = (manifest: Manifest): number =>
  Object.values(manifest.database.rows).reduce((sum, rows) => sum + rows, 0);
