import { chown, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Whole or not at all, of mode 0600, and on the disk when it returns; `owner`: the Unix user it is to belong to. Throws as
 * `node:fs` does, and then leaves what was there.
 */
export async function replaceFile(path: string, text: string, owner?: { uid: number; gid: number }): Promise<void> {
  const fresh = `${path}.new`;
  try {
    // A left-over of an earlier run may have other modes.
    await rm(fresh, { force: true });
    const file = await open(fresh, 'wx', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    if (owner !== undefined && owner.uid !== process.getuid?.()) await chown(fresh, owner.uid, owner.gid);
    await rename(fresh, path);
    await syncDirectory(dirname(path));
  } catch (error) {
    await rm(fresh, { force: true }).catch(() => undefined);
    throw error;
  }
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
