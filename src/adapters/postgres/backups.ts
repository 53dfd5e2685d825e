import { rm } from 'node:fs/promises';
import path from 'node:path';
import {
  type BackupId,
  type BackupSet,
  type Backups,
  type DamagedSet,
  type Progress,
  type Retention,
  type Verification,
  backupIdOf,
  bytesNeeded,
  inUse,
  newestStays,
  pickSet,
  sequenceOf,
} from '#domain/backups.ts';
import { formatDuration } from '#domain/duration.ts';
import { OpsError } from '#domain/errors.ts';
import type { BackupSettings } from './backup-settings.ts';
import { ChildFailed } from './child.ts';
import { diskError, freeBytesAt, noRoom } from './disk.ts';
import { type SetPlan, type SetWork, fillSet, publish } from './make-set.ts';
import { listPartials, partialName, removeStale } from './partial.ts';
import { sweepPassFiles } from './pgpass.ts';
import { removeSet, sweepRemoved } from './remove-set.ts';
import { type Session, ask, databaseError, openSession, tablesMoved, soonMs } from './session.ts';
import { listIds, openDirectory, readSet, readSets } from './sets.ts';
import { findTool } from './tools.ts';
import { verifySet } from './verify-set.ts';

export const openBackups = (settings: BackupSettings): Backups => new PostgresBackups(settings);

const gibibyte = 2 ** 30;

export class PostgresBackups implements Backups {
  readonly verifies: 'each' | 'never';
  readonly retention: Retention;
  readonly #settings: BackupSettings;
  readonly #root: string;
  /** The partials this process is working on. */
  readonly #busy = new Set<string>();
  /** The sets that are being restored from. */
  readonly #reading = new Set<BackupId>();
  #makingSince: number | undefined;

  constructor(settings: BackupSettings) {
    this.#settings = settings;
    this.#root = path.resolve(settings.directory);
    this.verifies = settings.verifies ?? 'each';
    this.retention = settings.retention ?? { keepDays: 30, minKeep: 3 };
  }

  async list(): Promise<BackupSet[]> {
    return (await readSets(this.#root)).sets;
  }

  async damaged(): Promise<DamagedSet[]> {
    return (await readSets(this.#root)).damaged;
  }

  async find(id: string): Promise<BackupSet | undefined> {
    const found = pickSet(
      (await listIds(this.#root)).map((each) => ({ id: each })),
      id,
    );
    if (found === undefined) return undefined;
    const set = await readSet(this.#root, found.id);
    return 'manifest' in set ? set : undefined;
  }

  async freeBytes(): Promise<number> {
    await openDirectory(this.#root);
    return freeBytesAt(this.#root);
  }

  async tidy(): Promise<string[]> {
    await sweepPassFiles();
    const removed = await sweepRemoved(this.#root);
    return [...removed, ...(await removeStale(this.#root, this.#busy, this.#settings.clock.now()))];
  }

  async make(options: { site: string; signal: AbortSignal; progress: Progress }): Promise<BackupSet> {
    const { clock } = this.#settings;
    if (this.#makingSince !== undefined) throw alreadyRunning(clock.monotonicMs() - this.#makingSince);
    this.#makingSince = clock.monotonicMs();
    try {
      return await this.#make(options);
    } finally {
      this.#makingSince = undefined;
    }
  }

  async #make(options: { site: string; signal: AbortSignal; progress: Progress }): Promise<BackupSet> {
    const { postgres, clock, build } = this.#settings;
    const { signal, progress, site } = options;
    const session = openSession(postgres);
    let stage = 'getting ready';
    let partial: string | undefined;
    let neededBytes = 0;
    try {
      await openDirectory(this.#root);
      await this.tidy();
      stage = 'looking at the server';
      const server = await askServer(session, signal);
      const tool = await findTool('pg_dump', server.major, postgres.binDir);
      stage = 'checking the free space';
      const last = (await this.list())[0];
      const known = last === undefined ? { databaseBytes: server.bytes } : { lastSetBytes: last.bytes };
      neededBytes = bytesNeeded({ ...known, floorBytes: this.#settings.floorBytes ?? gibibyte });
      const free = await freeBytesAt(this.#root);
      if (free < neededBytes) throw noRoom(this.#root, neededBytes, free);
      const startedAt = clock.now();
      const id = backupIdOf(startedAt, await this.#nextSequence());
      partial = path.join(this.#root, partialName(id));
      this.#busy.add(path.basename(partial));
      const plan = { id, sequence: sequenceOf(id), site, startedAt, build, tool, address: postgres };
      const expectedRawBytes = last?.manifest.database.rawBytes;
      const work = { session, clock, signal, progress, stage: (name: string) => void (stage = name) };
      await fillAtLastTry(partial, { ...plan, serverVersion: server.version, expectedRawBytes }, work);
      signal.throwIfAborted();
      stage = 'publishing the set';
      await publish(this.#root, partial, id);
      return (await readSet(this.#root, id)) as BackupSet;
    } catch (error) {
      throw await this.#failure(error, stage, signal, neededBytes);
    } finally {
      if (partial !== undefined) await rm(partial, { recursive: true, force: true }).catch(() => undefined);
      this.#busy.delete(path.basename(partial ?? ''));
      await session.end({ timeout: 2 }).catch(() => undefined);
    }
  }

  /** Also looks at what others are making: two of the same number, or two at once, must not be. */
  async #nextSequence(): Promise<number> {
    const partials = await listPartials(this.#root);
    if (partials.some(({ owner, name }) => owner === 'alive' && /^\.partial-\d/.test(name)))
      throw alreadyRunning(undefined);
    const newest = (await listIds(this.#root))[0];
    return newest === undefined ? 1 : sequenceOf(newest) + 1;
  }

  async #failure(error: unknown, stage: string, signal: AbortSignal, neededBytes: number): Promise<OpsError> {
    const left = 'Nothing was kept of it; earlier backups are as they were.';
    if (signal.aborted)
      return new OpsError('cancelled', `The backup was cancelled while ${stage}. ${left}`, { cause: error });
    const known =
      (await diskError(error, this.#root, neededBytes)) ??
      (error instanceof ChildFailed
        ? new OpsError('unavailable', error.message, { cause: error })
        : databaseError(error, this.#settings.postgres));
    if (known.kind === 'conflict') return known;
    const { kind, hint } = known;
    const message = `The backup failed while ${stage}: ${known.message.replace(/\.$/, '')}. ${left}`;
    return new OpsError(kind, message, { cause: error, ...(hint === undefined ? {} : { hint }) });
  }

  async verify(id: BackupId, options: { signal: AbortSignal; progress: Progress }): Promise<Verification> {
    const found = pickSet(
      (await listIds(this.#root)).map((each) => ({ id: each })),
      id,
    );
    if (found === undefined)
      throw new OpsError('notFound', `There is no backup ${id}.`, { hint: '!backup list shows them.' });
    this.#reading.add(found.id);
    try {
      return await verifySet(this.#root, found.id, this.#settings, options);
    } finally {
      this.#reading.delete(found.id);
    }
  }

  async remove(id: BackupId): Promise<void> {
    if ((await listIds(this.#root))[0] === id) throw newestStays(id);
    if (this.#reading.has(id)) throw inUse(id);
    await removeSet(this.#root, id);
  }
}

/** Begins again with a new snapshot when tables came or went under the dump. */
async function fillAtLastTry(partial: string, plan: SetPlan, work: SetWork, triesLeft = 2): Promise<void> {
  try {
    await fillSet(partial, plan, work);
  } catch (error) {
    if (triesLeft === 0 || work.signal.aborted || !tablesMoved(error)) throw error;
    await rm(partial, { recursive: true, force: true });
    await fillAtLastTry(partial, plan, work, triesLeft - 1);
  }
}

function alreadyRunning(forMs: number | undefined): OpsError {
  const since = forMs === undefined ? 'in another process' : `since ${formatDuration(forMs)}`;
  return new OpsError('conflict', `A backup is already running ${since}; none was started.`, {
    hint: '!backup list shows it when it is done.',
  });
}

async function askServer(
  session: Session,
  signal: AbortSignal,
): Promise<{ version: string; major: number; bytes: number }> {
  const [row] = await ask<{ version: string; number: number; bytes: string }>(
    session,
    `SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int AS number,
       pg_database_size(current_database()) AS bytes`,
    signal,
    // The size of a large database is summed up file by file.
    2 * soonMs,
  );
  return {
    version: row?.version.split(' ')[0] ?? '',
    major: Math.floor((row?.number ?? 0) / 10_000),
    bytes: Number(row?.bytes ?? 0),
  };
}
