import { readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import type { BackupId } from '#domain/backups.ts';
import { OpsError } from '#domain/errors.ts';
import { syncDirectory } from './disk.ts';
import { manifestName } from './manifest-file.ts';

// No listing takes it for a set, and `tidy` knows what it is after a crash.
const tombPrefix = '.removed-';

/** One rename takes the name away; from then on it is no set, whatever of its files is still there. */
export async function removeSet(root: string, id: BackupId): Promise<void> {
  const tomb = path.join(root, `${tombPrefix}${id}`);
  try {
    await rename(path.join(root, id), tomb);
    await syncDirectory(root);
  } catch (cause) {
    const isGone = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
    if (isGone)
      throw new OpsError('notFound', `There is no backup ${id}.`, { hint: '!backup list shows them.', cause });
    const said = cause instanceof Error ? cause.message : String(cause);
    throw new OpsError('unavailable', `Cannot remove ${id}: ${said}. It is as it was.`, {
      hint: 'The bot must be allowed to write in backups.directory.',
      cause,
    });
  }
  await bury(tomb).catch((cause: unknown) => {
    const said = cause instanceof Error ? cause.message : String(cause);
    throw new OpsError('unavailable', `${id} is no backup any more, but its files cannot be deleted: ${said}.`, {
      effect: 'done',
      hint: `They lie in ${tomb}; the next backup tries again.`,
      cause,
    });
  });
}

/** Goes on where a removal was cut off. Gives the names removed. */
export async function sweepRemoved(root: string): Promise<string[]> {
  const names = await readdir(root).catch(() => [] as string[]);
  const tombs = names.filter((name) => name.startsWith(tombPrefix));
  for (const name of tombs) await bury(path.join(root, name));
  return tombs;
}

/** The manifest first: what is cut off now can't be taken for a set even when someone renames it back. */
async function bury(tomb: string): Promise<void> {
  await rm(path.join(tomb, manifestName), { force: true });
  await rm(tomb, { recursive: true, force: true });
}
