import { mkdir, open, rename } from 'node:fs/promises';
import { join } from 'node:path';

/** Leaves new credentials in files of mode 0600, for the operator to fetch on the machine itself. */
export class FileHandover {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async put(name: string, content: string): Promise<string> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const path = join(this.#directory, name.replaceAll(/[^A-Za-z0-9._-]/g, '_'));
    const file = await open(`${path}.new`, 'w', 0o600);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(`${path}.new`, path);
    return path;
  }
}
