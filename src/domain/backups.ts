import type { EpochMs } from './clock.ts';

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
    /** Tables dumped without their rows, and why. */
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

export type Progress = (done: number, total: number | undefined, what: string) => void;

/** Where the sets lie. A set appears by one rename, or not at all. */
export interface BackupStore {
  list(): Promise<BackupSet[]>;
  find(id: string): Promise<BackupSet | undefined>;
  freeBytes(): Promise<number>;
  /** Removes what a killed backup left. Gives the names removed. */
  tidy(): Promise<string[]>;
}

/** Makes and proves sets of the homeserver's database. */
export interface Backups extends BackupStore {
  make(options: { site: string; signal: AbortSignal; progress: Progress }): Promise<BackupSet>;
  /** Checks every hash, restores into a scratch database, counts, drops it. Stores the verdict beside the set. */
  verify(id: BackupId, options: { signal: AbortSignal; progress: Progress }): Promise<Verification>;
}
