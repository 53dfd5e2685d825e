import {
  backupIdOf,
  type BackupId,
  type Backups,
  type BackupSet,
  compareRows,
  type DamagedSet,
  inUse,
  newestStays,
  pickSet,
  type Progress,
  type Retention,
  type Verification,
} from '#domain/backups.ts';
import { OpsError } from '#domain/errors.ts';
import { FakeClock } from './clock.ts';
import { Faults } from './faults.ts';

type Stored = {
  id: BackupId;
  set: BackupSet;
  restored: Record<string, number>;
  problems: string[];
  why: string | undefined;
};

/** A database of a few counted tables, and its backups, in memory. */
export class FakeBackups implements Backups {
  readonly faults = new Faults<keyof Backups>();
  readonly clock: FakeClock;
  readonly verifies: 'each' | 'never';
  readonly retention: Retention;
  rows: Record<string, number> = { 'public.events': 1200, 'public.users': 30, 'public.e2e_one_time_keys_json': 0 };
  free = 50 * 2 ** 30;
  /** What a killed backup left. */
  partials: string[] = [];
  /** When set, `make` and `verify` stop before their end until it resolves. */
  gate: Promise<void> | undefined;
  #stored: Stored[] = [];
  #making = false;
  #verifying: BackupId | undefined;

  constructor(options: { clock?: FakeClock; verifies?: 'each' | 'never'; retention?: Retention } = {}) {
    this.clock = options.clock ?? new FakeClock();
    this.verifies = options.verifies ?? 'each';
    this.retention = options.retention ?? { keepDays: 30, minKeep: 3 };
  }

  /** Makes a file of the set differ from its manifest. */
  breakFile(id: BackupId, name = 'database.dump.zst'): void {
    this.#get(id).problems.push(`${name} was changed: its SHA-256 differs`);
  }

  breakManifest(id: BackupId): void {
    this.#get(id).why = 'manifest.json is damaged';
  }

  /** As if pg_dump had left rows out. */
  loseRows(id: BackupId, table: string, rows: number): void {
    this.#get(id).restored[table] = rows;
  }

  list(): Promise<BackupSet[]> {
    return this.faults.run('list', [], () => this.#stored.filter((one) => one.why === undefined).map(({ set }) => set));
  }

  damaged(): Promise<DamagedSet[]> {
    return this.faults.run('damaged', [], () =>
      this.#stored.flatMap(({ id, why, set }) => (why === undefined ? [] : [{ id, why, path: set.path }])),
    );
  }

  find(id: string): Promise<BackupSet | undefined> {
    return this.faults.run('find', [id], () => {
      const found = pickSet(this.#stored, id);
      return found?.why === undefined ? found?.set : undefined;
    });
  }

  freeBytes(): Promise<number> {
    return this.faults.run('freeBytes', [], () => this.free);
  }

  tidy(): Promise<string[]> {
    return this.faults.run('tidy', [], () => this.partials.splice(0));
  }

  async make(options: { site: string; signal: AbortSignal; progress: Progress }): Promise<BackupSet> {
    if (this.#making) throw new OpsError('conflict', 'A backup is already running; none was started.');
    this.#making = true;
    try {
      const startedAt = this.clock.now();
      await this.#work(options, 'dumping the database');
      return await this.faults.run('make', [options.site], () => this.#store(options.site, startedAt));
    } finally {
      this.#making = false;
    }
  }

  async verify(id: BackupId, options: { signal: AbortSignal; progress: Progress }): Promise<Verification> {
    const found = pickSet(this.#stored, id);
    if (found === undefined) throw new OpsError('notFound', `There is no backup ${id}.`);
    this.#verifying = found.id;
    await this.#work(options, 'restoring into a scratch database').finally(() => (this.#verifying = undefined));
    return this.faults.run('verify', [id], () => {
      const { set, restored, why } = found;
      const broken = why === undefined ? found.problems : [why];
      const problems = broken.length > 0 ? broken : compareRows(set.manifest.database.rows, restored);
      const counts = broken.length > 0 ? [] : Object.values(restored);
      const rows = counts.reduce((sum, n) => sum + n, 0);
      const verification = {
        id: found.id,
        at: this.clock.now(),
        ok: problems.length === 0,
        problems,
        tables: counts.length,
        rows,
        tookMs: 5,
      };
      found.set = { ...set, verification };
      return verification;
    });
  }

  remove(id: BackupId): Promise<void> {
    return this.faults.run('remove', [id], () => {
      if (this.#stored[0]?.id === id) throw newestStays(id);
      if (this.#verifying === id) throw inUse(id);
      const left = this.#stored.filter((one) => one.id !== id);
      if (left.length === this.#stored.length) throw new OpsError('notFound', `There is no backup ${id}.`);
      this.#stored = left;
    });
  }

  async #work({ signal, progress }: { signal: AbortSignal; progress: Progress }, what: string): Promise<void> {
    const aborted = (): void => {
      if (signal.aborted) throw new OpsError('cancelled', `Cancelled while ${what}. Nothing was kept.`);
    };
    aborted();
    progress(1, 2, what);
    const gone = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    await Promise.race([this.gate ?? Promise.resolve(), gone]);
    aborted();
    progress(2, 2, what);
  }

  #store(site: string, startedAt: number): BackupSet {
    const sequence = (this.#stored[0]?.set.manifest.sequence ?? 0) + 1;
    const id = backupIdOf(startedAt, sequence);
    const rows = { ...this.rows };
    const set: BackupSet = {
      manifest: {
        format: 1,
        id,
        sequence,
        site,
        startedAt,
        endedAt: this.clock.now(),
        opsroom: '0.0.0',
        database: {
          name: 'synapse',
          serverVersion: '15.1',
          dumpVersion: '15.1',
          rows,
          emptied: ['public.e2e_one_time_keys_json'],
          rawBytes: 5000,
        },
        files: [{ name: 'database.dump.zst', bytes: 1000, sha256: 'a'.repeat(64) }],
      },
      bytes: 1000,
      verification: undefined,
      path: `/backups/${id}`,
    };
    this.#stored.unshift({ id, set, restored: { ...rows }, problems: [], why: undefined });
    return set;
  }

  #get(id: BackupId): Stored {
    const found = this.#stored.find((one) => one.id === id);
    if (found === undefined) throw new Error(`no set ${id}`);
    return found;
  }
}
