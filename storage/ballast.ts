import { randomBytes } from 'node:crypto';
import { existsSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

export const ballastBytes = 16 * 1024 * 1024;
// Made only where it is not itself what fills the disk.
const roomFor = 4;

/** A file that is only there to be freed when the disk is full, so that what is begun can be written to its end. */
export class Ballast {
  readonly #file: string | undefined;
  readonly #bytes: number;

  /** Without a file: none. */
  constructor(file: string | undefined, bytes = ballastBytes) {
    this.#file = file;
    this.#bytes = bytes;
  }

  /** True when there was something to free. */
  release(): boolean {
    if (this.#file === undefined || !existsSync(this.#file)) return false;
    try {
      rmSync(this.#file);
      return true;
    } catch {
      return false;
    }
  }

  /** Puts it there when there is room; false when there isn't. */
  ensure(): boolean {
    if (this.#file === undefined || existsSync(this.#file)) return true;
    try {
      const { bavail, bsize } = statfsSync(dirname(this.#file));
      if (bavail * bsize < roomFor * this.#bytes) return false;
      // Not zeros, which some file systems keep as nothing.
      writeFileSync(this.#file, randomBytes(this.#bytes), { mode: 0o600 });
      return true;
    } catch {
      this.release();
      return false;
    }
  }
}
