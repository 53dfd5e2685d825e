import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ownerMark, ownerOf } from './owner.ts';

const prefix = 'opsroom-pgpass-';

/** Runs `use` with a password file that only this user can read; it is gone afterwards. trust.md 13. */
export async function withPassFile<T>(
  password: string | undefined,
  use: (env: Record<string, string>) => Promise<T>,
): Promise<T> {
  if (password === undefined) return use({});
  const directory = await mkdtemp(path.join(tmpdir(), `${prefix}${ownerMark()}-`));
  try {
    const file = path.join(directory, 'pgpass');
    const escaped = password.replace(/[\\:]/g, (character) => `\\${character}`);
    await writeFile(file, `*:*:*:*:${escaped}\n`, { mode: 0o600, flag: 'wx' });
    return await use({ PGPASSFILE: file });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Removes the password files of processes that were killed. */
export async function sweepPassFiles(): Promise<void> {
  const names = await readdir(tmpdir()).catch(() => [] as string[]);
  for (const name of names.filter((entry) => entry.startsWith(prefix))) {
    const owner = ownerOf(`.${name.slice(prefix.length).replace(/-[^-]*$/, '')}`);
    if (owner === 'dead') await rm(path.join(tmpdir(), name), { recursive: true, force: true }).catch(() => undefined);
  }
}
