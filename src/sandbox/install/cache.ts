import { access, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { lock } from '../lock.ts';

/** What every installer needs: where to put things, whom to tell, when to stop. */
export type InstallContext = {
  cacheDir: string;
  logDir: string;
  log: (line: string) => void;
  signal: AbortSignal;
};

const marker = '.complete';

/** `$XDG_CACHE_HOME/opsroom`, by default `~/.cache/opsroom`. */
export function defaultCacheDir(): string {
  const base = process.env['XDG_CACHE_HOME'];
  return join(base ? base : join(homedir(), '.cache'), 'opsroom');
}

/** The note left in a whole install, or undefined when there is none or only half of one. */
export async function readMarker(dir: string): Promise<string | undefined> {
  return readFile(join(dir, marker), 'utf8').catch(() => undefined);
}

/**
 * Installs into `cacheDir/name` once. The marker is written last, so a folder without it is half an install and is
 * removed; a lock keeps two processes from building at once. `build` returns the marker's note; `valid` says whether an
 * old note still holds.
 */
export async function installOnce(
  context: InstallContext,
  name: string,
  build: (dir: string) => Promise<string>,
  valid: (note: string, dir: string) => Promise<boolean> = async () => true,
): Promise<string> {
  const dir = join(context.cacheDir, name);
  const whole = async () => {
    const note = await readMarker(dir);
    return note !== undefined && (await valid(note, dir));
  };
  if (await whole()) return dir;
  await mkdir(context.cacheDir, { recursive: true, mode: 0o700 });
  const waiting = () => context.log(`another process is installing ${name}; waiting for it`);
  using _held = await lock(join(context.cacheDir, `${name}.lock`), waiting, context.signal);
  if (await whole()) return dir;
  await rm(dir, { recursive: true, force: true });
  await mkdir(dir, { recursive: true });
  const note = await build(dir);
  await writeFile(join(dir, marker), note);
  return dir;
}

export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
