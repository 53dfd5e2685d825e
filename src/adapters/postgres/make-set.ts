import { mkdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import type { BackupFile, BackupId, Manifest, Progress } from '#domain/backups.ts';
import type { Clock, EpochMs } from '#domain/clock.ts';
import { formatBytes } from '#domain/duration.ts';
import { OpsError } from '#domain/errors.ts';
import { syncDirectory, hashFile, writeDurably } from './disk.ts';
import { oneTimeKeys, writeDump } from './dump.ts';
import { checkFiles, readManifest, writeManifest } from './manifest-file.ts';
import { withPassFile } from './pgpass.ts';
import { recipe, recipeName } from './recipe.ts';
import { type DatabaseAddress, type Session, openSession } from './session.ts';
import { type Snapshot, countInSnapshot, withSnapshot } from './snapshot.ts';
import type { Tool } from './tools.ts';

export const dumpName = 'database.dump.zst';

export type SetPlan = {
  id: BackupId;
  sequence: number;
  site: string;
  startedAt: EpochMs;
  build: string;
  address: DatabaseAddress;
  serverVersion: string;
  tool: Tool;
  /** What the last dump had, for the progress. */
  expectedRawBytes: number | undefined;
};

export type SetWork = {
  session: Session;
  clock: Clock;
  signal: AbortSignal;
  progress: Progress;
  /** Says what is being done now, for the error if it fails. */
  stage(name: string): void;
};

/** Fills `partial` with a whole set: files, each on the disk and read back, then the manifest. */
export async function fillSet(partial: string, plan: SetPlan, work: SetWork): Promise<void> {
  await mkdir(partial, { mode: 0o700 });
  const { database, dump } = await dumpDatabase(partial, plan, work);
  work.stage('writing the recipe');
  const text = recipe({
    ...plan,
    database: database.name,
    dumpVersion: database.dumpVersion,
    emptied: database.emptied,
    dump,
  });
  await writeDurably(path.join(partial, recipeName), text);
  const written = await hashFile(path.join(partial, recipeName), work.signal, () => undefined);
  const files = [dump, { name: recipeName, ...written }];
  work.stage('writing the manifest');
  const { id, sequence, site, startedAt, build } = plan;
  const manifest: Manifest = {
    format: 1,
    id,
    sequence,
    site,
    startedAt,
    endedAt: work.clock.now(),
    opsroom: build,
    database,
    files,
  };
  await writeManifest(partial, manifest);
  await syncDirectory(partial);
  await readBack(partial, plan, work);
}

async function dumpDatabase(
  partial: string,
  plan: SetPlan,
  work: SetWork,
): Promise<{ database: Manifest['database']; dump: BackupFile }> {
  const { address, tool } = plan;
  work.stage('taking the snapshot');
  return withSnapshot(work.session, work.signal, (snapshot) =>
    withPassFile(address.password, async (env) => {
      work.stage('dumping the database');
      // The first failure ends the other side too: a count that goes on would hold the snapshot for nothing. Both are
      // waited for, so that nothing of a failed one is still running.
      const failed = new AbortController();
      const signal = AbortSignal.any([work.signal, failed.signal]);
      const end = (error: unknown): undefined => failed.abort(error) as undefined;
      const onBytes = (raw: number) => tellDumped(raw, plan.expectedRawBytes, work.progress);
      const file = path.join(partial, dumpName);
      const [written, counted] = await Promise.all([
        writeDump({ tool, address, env, snapshot: snapshot.id, file, signal, onBytes }).catch(end),
        countBeside(address, snapshot, signal).catch(end),
      ]);
      if (written === undefined || counted === undefined) throw failed.signal.reason;
      const emptied = snapshot.tables.filter((table) => table.relation === oneTimeKeys).map((table) => table.name);
      const rows = { ...counted, ...Object.fromEntries(emptied.map((name) => [name, 0])) };
      const { rawBytes, bytes, sha256 } = written;
      const versions = { serverVersion: plan.serverVersion, dumpVersion: tool.version };
      return {
        database: { name: address.database, ...versions, rows, emptied, rawBytes },
        dump: { name: dumpName, bytes, sha256 },
      };
    }),
  );
}

async function countBeside(
  address: DatabaseAddress,
  snapshot: Snapshot,
  signal: AbortSignal,
): Promise<Record<string, number>> {
  const session = openSession(address);
  try {
    return await countInSnapshot(session, snapshot, signal);
  } finally {
    await session.end({ timeout: 2 });
  }
}

/** Against the size of the last dump: near enough, and the only one known. */
function tellDumped(rawBytes: number, expected: number | undefined, progress: Progress): void {
  if (expected === undefined) progress(rawBytes, undefined, `dumping the database, ${formatBytes(rawBytes)} so far`);
  else progress(Math.min(rawBytes, expected), expected, 'dumping the database');
}

async function readBack(partial: string, plan: SetPlan, work: SetWork): Promise<void> {
  work.stage('reading it back');
  const read = await readManifest(partial, plan.id);
  let done = 0;
  const total = read.ok ? read.manifest.files.reduce((sum, file) => sum + file.bytes, 0) : undefined;
  const onBytes = (bytes: number) => work.progress((done += bytes), total, 'reading it back');
  const problems = read.ok ? await checkFiles(partial, read.manifest, work.signal, onBytes) : [read.why];
  if (problems.length > 0)
    throw new OpsError('unavailable', `what the disk gives back is not what was written: ${problems.join('; ')}`);
}

/** One rename makes it a set. What fails after it takes the name away again. */
export async function publish(root: string, partial: string, id: BackupId): Promise<string> {
  const final = path.join(root, id);
  await rename(partial, final);
  try {
    await syncDirectory(root);
  } catch (error) {
    await rm(final, { recursive: true, force: true });
    throw error;
  }
  return final;
}
