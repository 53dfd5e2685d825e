import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { OpsError } from '#domain/errors.ts';

// More than a database finds in the room that it has already.
const probeBytes = 64 * 1024;

/** Writes a little and takes it back: a full or read-only disk is noticed while nothing else is written. */
export async function probeWrite(directory: string): Promise<void> {
  const path = join(directory, '.write-probe');
  try {
    const file = await open(path, 'w', 0o600);
    try {
      await file.writeFile(Buffer.alloc(probeBytes, 1));
      await file.sync();
    } finally {
      await file.close();
    }
    await rm(path);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    await rm(path, { force: true }).catch(() => {});
    const why =
      code === 'ENOSPC' ? 'the disk is full' : code === 'EROFS' ? 'the disk is read-only' : (code ?? 'unknown');
    throw new OpsError('unavailable', `Nothing can be written under ${directory}: ${why}.`, {
      hint: 'Make room there, or mend the disk; nothing that was stored is lost.',
      cause,
    });
  }
}
