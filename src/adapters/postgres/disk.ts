import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, statfs } from 'node:fs/promises';
import { formatBytes } from '#domain/duration.ts';
import { OpsError } from '#domain/errors.ts';

export async function freeBytesAt(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize;
}

export async function writeDurably(file: string, text: string): Promise<void> {
  const handle = await open(file, 'wx', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** A rename or a new name lasts only when its directory is written too. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export async function hashFile(
  file: string,
  signal: AbortSignal,
  onBytes: (bytes: number) => void,
): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20, signal }) as AsyncIterable<Buffer>) {
    hash.update(chunk);
    bytes += chunk.length;
    onBytes(chunk.length);
  }
  return { bytes, sha256: hash.digest('hex') };
}

const full = new Set(['ENOSPC', 'EDQUOT']);

/** The error of a file operation, in words; for a full disk with path, needed and free. */
export async function diskError(error: unknown, directory: string, neededBytes: number): Promise<OpsError | undefined> {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (full.has(code)) return noRoom(directory, neededBytes, await freeBytesAt(directory).catch(() => 0), error);
  if (!['EIO', 'EROFS', 'EACCES', 'EPERM', 'ENOENT', 'ENOTDIR', 'EEXIST', 'EMFILE', 'ESTALE'].includes(code))
    return undefined;
  const said = error instanceof Error ? error.message : code;
  return new OpsError('unavailable', `the disk under ${directory} refused it (${said})`, { cause: error });
}

export function noRoom(directory: string, neededBytes: number, freeBytes: number, cause?: unknown): OpsError {
  return new OpsError(
    'unavailable',
    `no room under ${directory}: ${formatBytes(neededBytes)} needed, ${formatBytes(freeBytes)} free`,
    { cause, hint: 'Free some room there or move backups.directory to a larger disk, then type !backup now again.' },
  );
}
