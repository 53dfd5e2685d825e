import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BackupId, Backups } from '#domain/backups.ts';
import { readManifest, writeManifest } from '#adapters/postgres/manifest-file.ts';
import { FakeBackups } from '#test/fakes/backups.ts';
import { openBackupWorld, quiet } from '#test/fixtures/backup-world.ts';

const installMs = 15 * 60_000;

interface World extends AsyncDisposable {
  backups: Backups;
  breakFile(id: BackupId): Promise<void>;
  breakManifest(id: BackupId): Promise<void>;
  /** As if the dump lacked rows of `public.users`. */
  loseRows(id: BackupId): Promise<void>;
  leavePartial(): Promise<void>;
}

function fakeWorld(): Promise<World> {
  const backups = new FakeBackups();
  return Promise.resolve({
    backups,
    breakFile: (id) => Promise.resolve(backups.breakFile(id)),
    breakManifest: (id) => Promise.resolve(backups.breakManifest(id)),
    loseRows: (id) => Promise.resolve(backups.loseRows(id, 'public.users', 1)),
    leavePartial: () => Promise.resolve(void backups.partials.push('.partial-1')),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
}

async function postgresWorld(): Promise<World> {
  const world = await openBackupWorld();
  const at = (id: BackupId, name: string): string => join(world.root, id, name);
  return {
    backups: world.open(),
    breakFile: (id) => writeFile(at(id, 'database.dump.zst'), 'no dump'),
    breakManifest: (id) => writeFile(at(id, 'manifest.json'), '{}'),
    async loseRows(id) {
      const read = await readManifest(join(world.root, id), id);
      if (!read.ok) throw new Error(read.why);
      const { manifest } = read;
      manifest.database.rows['public.users'] = (manifest.database.rows['public.users'] ?? 0) + 5;
      await rm(at(id, 'manifest.json'));
      await writeManifest(join(world.root, id), manifest);
    },
    leavePartial: () => mkdir(join(world.root, '.partial-20260801T020000Z-000099')),
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  };
}

const worlds: Array<[string, () => Promise<World>]> = [
  ['fake', fakeWorld],
  ['PostgreSQL', postgresWorld],
];

describe.each(worlds)('Backups on %s', (_name, open) => {
  let world: World;
  let backups: Backups;
  const make = async () => backups.make({ site: 'main', ...quiet() });
  const newest = async (): Promise<BackupId> => (await backups.find('latest'))!.manifest.id;
  beforeAll(async () => {
    world = await open();
    backups = world.backups;
  }, installMs);
  afterAll(async () => world[Symbol.asyncDispose]());

  test('has none at first', async () => {
    expect(await backups.list()).toEqual([]);
    expect(await backups.damaged()).toEqual([]);
    expect(await backups.find('latest')).toBeUndefined();
    expect(await backups.freeBytes()).toBeGreaterThan(0);
  });

  test('makes sets, listed newest first, found by id, number and "latest"', async () => {
    const first = await make();
    const told: string[] = [];
    const second = await backups.make({
      ...quiet(),
      site: 'main',
      progress: (_done, _total, what) => void told.push(what),
    });
    expect([first, second].map((set) => set.manifest.sequence)).toEqual([1, 2]);
    expect(told.join()).toContain('dumping the database');
    expect(second).toMatchObject({
      verification: undefined,
      manifest: { site: 'main', database: { name: 'synapse' } },
    });
    expect(second.bytes).toBe(second.manifest.files.reduce((sum, file) => sum + file.bytes, 0));
    expect(second.manifest.database.rows['public.users']).toBeTypeOf('number');
    expect(await backups.list()).toEqual([second, first]);
    for (const name of [first.manifest.id, '1']) expect(await backups.find(name)).toEqual(first);
    expect(await backups.find('latest')).toEqual(second);
    expect(await backups.find('77')).toBeUndefined();
    await expect(backups.find('yesterday')).rejects.toMatchObject({ kind: 'invalid' });
  });

  test('verifies a good set, and remembers that', async () => {
    const id = await newest();
    const told: string[] = [];
    const verdict = await backups.verify(id, { ...quiet(), progress: (_done, _total, what) => void told.push(what) });
    expect(verdict).toMatchObject({ id, ok: true, problems: [] });
    expect(verdict.tables).toBe(Object.keys((await backups.find(id))!.manifest.database.rows).length);
    expect(told.join()).toContain('restoring into a scratch database');
    expect((await backups.find(id))?.verification).toEqual(verdict);
  });

  test('sees rows that are missing after a restore, and names the table', async () => {
    const { manifest } = await make();
    await world.loseRows(manifest.id);
    const verdict = await backups.verify(manifest.id, quiet());
    expect(verdict).toMatchObject({
      ok: false,
      problems: [expect.stringMatching(/^table public\.users has \d+ rows/)],
    });
    expect((await backups.find(manifest.id))?.verification?.ok).toBe(false);
  });

  test('sees a changed file, names it, and does not restore from it', async () => {
    const { manifest } = await make();
    await world.breakFile(manifest.id);
    const verdict = await backups.verify(manifest.id, quiet());
    expect(verdict).toMatchObject({
      ok: false,
      tables: 0,
      rows: 0,
      problems: [expect.stringMatching(/^database\.dump\.zst /)],
    });
  });

  test('a set with a damaged manifest is not listed with the others, and not hidden', async () => {
    const { manifest } = await make();
    await world.breakManifest(manifest.id);
    expect(await backups.find(manifest.id)).toBeUndefined();
    expect((await backups.list()).map((set) => set.manifest.id)).not.toContain(manifest.id);
    expect(await backups.damaged()).toMatchObject([{ id: manifest.id, why: expect.stringContaining('manifest.json') }]);
    expect(await backups.verify(manifest.id, quiet())).toMatchObject({
      ok: false,
      problems: [expect.stringContaining('manifest.json')],
    });
    // Its number isn't given again.
    expect((await make()).manifest.sequence).toBe(manifest.sequence + 1);
  });

  test('makes one at a time', async () => {
    const before = (await backups.list()).length;
    const running = make();
    await expect(make()).rejects.toMatchObject({ kind: 'conflict', effect: 'none' });
    await running;
    expect(await backups.list()).toHaveLength(before + 1);
  });

  test.each(['make', 'verify'] as const)('stops to %s when told to, and leaves nothing', async (what) => {
    const before = await backups.list();
    const abort = new AbortController();
    const options = { site: 'main', signal: abort.signal, progress: () => abort.abort() };
    const id = await newest();
    await expect(what === 'make' ? backups.make(options) : backups.verify(id, options)).rejects.toMatchObject({
      kind: 'cancelled',
    });
    expect(await backups.list()).toEqual(before);
  });

  test('does nothing for who has given up already', async () => {
    const before = await backups.list();
    const options = { site: 'main', signal: AbortSignal.abort(), progress: () => undefined };
    await expect(backups.make(options)).rejects.toMatchObject({ kind: 'cancelled' });
    expect(await backups.list()).toEqual(before);
  });

  test('removes a set for good, also a damaged one', async () => {
    const made = [await make(), await make(), await make()].map((set) => set.manifest.id);
    const [plain, damaged, newest] = made as [BackupId, BackupId, BackupId];
    await world.breakManifest(damaged);
    const others = (await backups.list()).filter((set) => set.manifest.id !== plain);
    for (const id of [plain, damaged]) await backups.remove(id);
    expect(await backups.list()).toEqual(others);
    expect((await backups.damaged()).map((set) => set.id)).not.toContain(damaged);
    expect(await backups.find(plain)).toBeUndefined();
    await expect(backups.remove(plain)).rejects.toMatchObject({ kind: 'notFound' });
    // The number of the next one is counted from it.
    await expect(backups.remove(newest)).rejects.toMatchObject({ kind: 'conflict', effect: 'none' });
    expect((await backups.find('latest'))?.manifest.id).toBe(newest);
    expect(await backups.tidy()).toEqual([]);
  });

  test('does not remove what is being verified', async () => {
    const { manifest } = await make();
    await make();
    let tried: Promise<unknown> | undefined;
    const tryToRemove = (): void => void (tried ??= backups.remove(manifest.id).catch((error: unknown) => error));
    await expect(backups.verify(manifest.id, { ...quiet(), progress: tryToRemove })).resolves.toMatchObject({
      ok: true,
    });
    expect(await tried).toMatchObject({ kind: 'conflict' });
    expect(await backups.find(manifest.id)).toBeDefined();
    await backups.remove(manifest.id);
  });

  test('can not verify what is not there', async () => {
    await expect(backups.verify('20200101T000000Z-000077' as BackupId, quiet())).rejects.toMatchObject({
      kind: 'notFound',
    });
  });

  test('tidies what a killed one left', async () => {
    await world.leavePartial();
    expect(await backups.tidy()).toHaveLength(1);
    expect(await backups.tidy()).toEqual([]);
  });
});
