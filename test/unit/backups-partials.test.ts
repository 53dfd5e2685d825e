import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ownerMark, ownerOf } from '#adapters/postgres/owner.ts';
import { partialName, removeStale } from '#adapters/postgres/partial.ts';
import { sweepPassFiles, withPassFile } from '#adapters/postgres/pgpass.ts';

const hourMs = 3_600_000;
const [pid = '', ticks = '', host = ''] = ownerMark().split('-');
let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'opsroom-partials-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

/** The mark of a process that has ended. */
async function deadMark(): Promise<string> {
  const child = spawn('true');
  await once(child, 'close');
  return `${child.pid}-${ticks}-${host}`;
}

async function leave(name: string): Promise<string> {
  await mkdir(join(root, name));
  await writeFile(join(root, name, 'database.dump.zst'), 'half');
  return name;
}

test('what a dead process left goes; what a living one makes, and other things, stay', async () => {
  const dead = await leave(`.partial-20260801T020000Z-000001.${await deadMark()}`);
  const living = await leave(`.partial-20260801T020000Z-000002.${process.ppid}-${ticksOf(process.ppid)}-${host}`);
  const set = await leave('20260801T020000Z-000003');
  expect(await removeStale(root, new Set(), Date.now())).toEqual([dead]);
  expect((await readdir(root)).toSorted()).toEqual([living, set].toSorted());
});

test('a pid that came again to another process is not its owner', async () => {
  const name = await leave(`.partial-20260801T020000Z-000001.${process.ppid}-1-${host}`);
  expect(ownerOf(name)).toBe('dead');
  expect(await removeStale(root, new Set(), Date.now())).toEqual([name]);
});

test('of its own process only what it works on stays', async () => {
  const working = await leave(partialName('20260801T020000Z-000001'));
  const left = await leave(partialName('20260801T020000Z-000002'));
  expect(ownerOf(working)).toBe('this');
  expect(await removeStale(root, new Set([working]), Date.now())).toEqual([left]);
});

test("another host's stays while it grows, and goes when it has been still for an hour", async () => {
  const name = await leave(`.partial-20260801T020000Z-000001.${pid}-${ticks}-00000000`);
  expect(await removeStale(root, new Set(), Date.now())).toEqual([]);
  expect(await removeStale(root, new Set(), Date.now() + 2 * hourMs)).toEqual([name]);
  const growing = await leave(`.partial-20260801T020000Z-000002.${pid}-${ticks}-00000000`);
  const soon = new Date(Date.now() + 2 * hourMs);
  await utimes(join(root, growing, 'database.dump.zst'), soon, soon);
  expect(await removeStale(root, new Set(), Date.now() + 2 * hourMs)).toEqual([]);
});

test('the password files of dead processes go, those of living ones stay', async () => {
  const dead = join(tmpdir(), `opsroom-pgpass-${await deadMark()}-aaaaaa`);
  await mkdir(dead);
  await withPassFile('secret', async ({ PGPASSFILE = '' }) => {
    await sweepPassFiles();
    expect(await readdir(join(PGPASSFILE, '..'))).toEqual(['pgpass']);
  });
  await expect(readdir(dead)).rejects.toThrow('ENOENT');
});

// proc(5), field 22.
function ticksOf(other: number): string {
  const mark = readFileSync(`/proc/${other}/stat`, 'latin1');
  return mark.slice(mark.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}
