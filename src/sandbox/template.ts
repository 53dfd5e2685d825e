import { createHash } from 'node:crypto';
import { glob, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { installOnce, readMarker, type InstallContext } from './install/cache.ts';
import { synapseVersion } from './install/synapse.ts';
import type { DataState } from './state.ts';
import { runTool } from './tool.ts';

/**
 * Databases and files of a place that was made once, kept in the cache and copied: half a second instead of ten. All
 * sandboxes of one machine so share the secrets in these files; they listen on loopback and the cache is its owner's.
 */
export type TemplateName = 'empty' | 'seeded';

/** Written last when a place was seeded; the other one stands while that goes on. */
export const seededFile = 'seeded.json';
export const halfSeededFile = 'seeding';

const keepMs = 24 * 3600 * 1000;

/** The code that decides what is in the databases: any change to it makes new templates. */
const makers = ['{data,postgres,state,synapse,synapse-client,synapse-config,seed}.ts', 'seed/*.ts'];

export async function templateFolder(name: TemplateName, binDir: string): Promise<string> {
  const hash = createHash('sha256')
    .update(synapseVersion)
    .update(await runTool(join(binDir, 'postgres'), ['--version']));
  const sources = await Array.fromAsync(glob(makers, { cwd: import.meta.dirname }));
  for (const source of sources.sort()) hash.update(await readFile(join(import.meta.dirname, source)));
  return `template-${name}-${hash.digest('hex').slice(0, 16)}`;
}

/** Copies a template over what the run directory has, if there is one. */
export async function restoreTemplate(
  context: InstallContext,
  folder: string,
  dir: string,
): Promise<DataState | undefined> {
  const template = join(context.cacheDir, folder);
  const note = await readMarker(template);
  if (note === undefined) return undefined;
  await removeData(dir);
  await runTool('cp', ['-a', '--reflink=auto', join(template, 'data') + '/.', dir], { signal: context.signal });
  return JSON.parse(note) as DataState;
}

/** Databases, media and keys; not the logs, nor what other parts keep. */
export async function removeData(dir: string): Promise<void> {
  for (const name of ['postgres', 'synapse', seededFile, halfSeededFile])
    await rm(join(dir, name), { recursive: true, force: true });
}

/** Keeps the present state of a run directory as a template. */
export async function publishTemplate(
  context: InstallContext,
  folder: string,
  dir: string,
  data: DataState,
  copyDatabase: (to: string) => Promise<void>,
): Promise<void> {
  await installOnce(context, folder, async (target) => {
    const copy = join(target, 'data');
    await runTool('mkdir', ['-m', '700', copy]);
    await copyDatabase(join(copy, 'postgres'));
    await runTool('cp', ['-a', join(dir, 'synapse'), copy]);
    const seeded = await readFile(join(dir, seededFile), 'utf8').catch(() => undefined);
    if (seeded !== undefined) await writeFile(join(copy, seededFile), seeded, { mode: 0o600 });
    return JSON.stringify(data);
  });
  await removeOld(context.cacheDir, folder);
}

async function removeOld(cacheDir: string, current: string): Promise<void> {
  for await (const name of glob('template-*', { cwd: cacheDir })) {
    const path = join(cacheDir, name);
    if (name.startsWith(current)) continue;
    const { mtimeMs } = await stat(path);
    if (Date.now() - mtimeMs > keepMs) await rm(path, { recursive: true, force: true });
  }
}
