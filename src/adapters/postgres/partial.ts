import { readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { ownerMark, ownerOf } from './owner.ts';

const prefix = '.partial-';
/** What another host (or an earlier container) made is left alone until nothing in it has moved for this long. */
const elsewhereIdleMs = 3_600_000;

/** A name that no listing takes for a set. */
export const partialName = (name: string): string => `${prefix}${name}.${ownerMark()}`;

export type Partial = { name: string; owner: ReturnType<typeof ownerOf> };

export async function listPartials(root: string): Promise<Partial[]> {
  const names = await readdir(root).catch(() => [] as string[]);
  return names.filter((name) => name.startsWith(prefix)).map((name) => ({ name, owner: ownerOf(name) }));
}

/** Removes what no living process is working on. `busy`: the names this process is working on. */
export async function removeStale(root: string, busy: ReadonlySet<string>, now: number): Promise<string[]> {
  const removed: string[] = [];
  for (const { name, owner } of await listPartials(root)) {
    if (owner === 'alive' || busy.has(name)) continue;
    const entry = path.join(root, name);
    if (owner === 'elsewhere' && now - (await lastChange(entry)) < elsewhereIdleMs) continue;
    await rm(entry, { recursive: true, force: true });
    removed.push(name);
  }
  return removed;
}

async function lastChange(entry: string): Promise<number> {
  const inside = await readdir(entry).catch(() => [] as string[]);
  const times = [entry, ...inside.map((name) => path.join(entry, name))].map(async (file) => {
    const found = await stat(file).catch(() => undefined);
    return found?.mtimeMs ?? 0;
  });
  return Math.max(...(await Promise.all(times)));
}
