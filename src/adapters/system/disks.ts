import { stat, statfs } from 'node:fs/promises';
import { OpsError } from '#domain/errors.ts';
import type { Disks, DiskUsage } from '#domain/probes.ts';

/** File systems of this machine, by paths that lie on them. */
export class LocalDisks implements Disks {
  readonly paths: readonly string[];

  constructor(paths: readonly string[]) {
    this.paths = [...new Set(paths)];
  }

  async usage(path: string): Promise<DiskUsage> {
    try {
      const [file, system] = await Promise.all([stat(path), statfs(path)]);
      // `bavail`, not `bfree`: the share kept for root is of no use to a database.
      return {
        device: String(file.dev),
        freeBytes: system.bavail * system.bsize,
        totalBytes: (system.blocks - system.bfree + system.bavail) * system.bsize,
      };
    } catch (cause) {
      const why =
        (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such path' : 'it could not be asked';
      throw new OpsError('unavailable', `Free space of ${path}: ${why}.`, { cause });
    }
  }
}
