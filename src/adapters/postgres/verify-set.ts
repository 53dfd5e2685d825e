import path from 'node:path';
import type { BackupId, Manifest, Progress, Verification } from '#domain/backups.ts';
import { OpsError } from '#domain/errors.ts';
import type { BackupSettings } from './backup-settings.ts';
import { ChildFailed } from './child.ts';
import { type CopyVerdict, checkCopy } from './copy-check.ts';
import { diskError } from './disk.ts';
import { dumpName } from './make-set.ts';
import { checkFiles, readManifest } from './manifest-file.ts';
import { withPassFile } from './pgpass.ts';
import { restoreDump } from './restore.ts';
import { type ScratchSettings, withScratchDatabase } from './scratch.ts';
import { type DatabaseAddress, ask, databaseError, openSession, soonMs } from './session.ts';
import { findTool } from './tools.ts';
import { writeVerdict } from './verdict-file.ts';

type Watch = { signal: AbortSignal; progress: Progress };

/** Both proofs are needed: hashes don't see what pg_dump left out, counts don't see a flipped byte (finding 2). */
export async function verifySet(
  root: string,
  id: BackupId,
  settings: BackupSettings,
  watch: Watch,
): Promise<Verification> {
  const { clock } = settings;
  const begun = clock.monotonicMs();
  const directory = path.join(root, id);
  const admin = scratchAddress(settings);
  try {
    const verdict = await judge(directory, id, settings, admin, watch);
    const { problems, tables, rows } = verdict;
    const tookMs = Math.round(clock.monotonicMs() - begun);
    const verification = { id, at: clock.now(), ok: problems.length === 0, problems, tables, rows, tookMs };
    await writeVerdict(root, directory, verification);
    return verification;
  } catch (error) {
    const left = 'The set is as it was; whether it can be restored is not known.';
    if (watch.signal.aborted)
      throw new OpsError('cancelled', `The restore test of ${id} was cancelled. ${left}`, { cause: error });
    const known = (await diskError(error, root, 0)) ?? databaseError(error, admin);
    const { kind, hint } = known;
    const message = `The restore test of ${id} could not be made: ${known.message.replace(/\.$/, '')}. ${left}`;
    throw new OpsError(kind, message, { cause: error, ...(hint === undefined ? {} : { hint }) });
  }
}

async function judge(
  directory: string,
  id: BackupId,
  settings: BackupSettings,
  admin: DatabaseAddress,
  watch: Watch,
): Promise<CopyVerdict> {
  const read = await readManifest(directory, id);
  if (!read.ok) return { problems: [read.why], tables: 0, rows: 0 };
  const { manifest } = read;
  const total = manifest.files.reduce((sum, file) => sum + file.bytes, 0);
  let hashed = 0;
  const onBytes = (bytes: number) => watch.progress((hashed += bytes), total, 'checking the hashes');
  const problems = await checkFiles(directory, manifest, watch.signal, onBytes);
  if (problems.length > 0) return { problems, tables: 0, rows: 0 };
  return tryRestore(path.join(directory, dumpName), manifest, settings, admin, watch);
}

async function tryRestore(
  file: string,
  manifest: Manifest,
  settings: BackupSettings,
  admin: DatabaseAddress,
  { signal, progress }: Watch,
): Promise<CopyVerdict> {
  const { binDir, scratch } = settings.postgres;
  const tool = await findTool('pg_restore', Number.parseInt(manifest.database.dumpVersion, 10), binDir);
  return withScratchDatabase(admin, scratchPrefix(scratch), signal, (target) =>
    withPassFile(admin.password, async (env) => {
      const onBytes = (raw: number) => progress(raw, manifest.database.rawBytes, 'restoring into a scratch database');
      try {
        await restoreDump({ tool, target, env, file, signal, onBytes });
      } catch (error) {
        if (!(error instanceof ChildFailed) || signal.aborted) throw error;
        await blameServer(error, admin);
        return { problems: [`it does not restore: ${error.message}`], tables: 0, rows: 0 };
      }
      progress(0, undefined, 'counting the rows of the restored copy');
      return checkCopy(target, manifest, signal);
    }),
  );
}

/** Throws when the restore failed for want of a server or of room there, which says nothing about the set. */
async function blameServer(error: ChildFailed, admin: DatabaseAddress): Promise<void> {
  if (error.said.includes('No space left on device'))
    throw new OpsError('unavailable', `the scratch server is full: ${error.said}`);
  const session = openSession(admin);
  try {
    await ask(session, 'SELECT 1', undefined, soonMs);
  } finally {
    await session.end({ timeout: 2 });
  }
}

/** Where copies are made: the server itself unless `scratch` says another one. */
export function scratchAddress({ postgres }: Pick<BackupSettings, 'postgres'>): DatabaseAddress {
  const { host, port, user, password, scratch = {} } = postgres;
  return {
    host: scratch.host ?? host,
    port: scratch.port ?? port,
    user: scratch.user ?? user,
    password: scratch.password ?? password,
    database: scratch.maintenance ?? 'postgres',
  };
}

function scratchPrefix(scratch: ScratchSettings | undefined): string {
  const prefix = scratch?.prefix ?? 'opsroom_verify_';
  if (/^[a-z][a-z0-9_]{3,40}$/.test(prefix)) return prefix;
  throw new OpsError(
    'misconfigured',
    `postgres.scratch.prefix "${prefix}" won't do: 4 to 41 of a-z, 0-9 and _, a letter first.`,
  );
}
