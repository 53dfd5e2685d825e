import { closeSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs';

/** Whole or not at all, of mode 0600, and on disk when it returns. Throws as `node:fs` does. */
export function writePrivate(file: string, text: string): void {
  const temporary = `${file}.new`;
  const handle = openSync(temporary, 'w', 0o600);
  try {
    writeSync(handle, text);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  renameSync(temporary, file);
}
