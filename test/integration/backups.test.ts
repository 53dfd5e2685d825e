import { execFile } from 'node:child_process';
import { access, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { zstdDecompressSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Backups, BackupSet } from '#domain/backups.ts';
import { withScratchDatabase } from '#adapters/postgres/scratch.ts';
import { type BackupWorld, openBackupWorld, quiet } from '#test/fixtures/backup-world.ts';
import { fillSynapseLike } from '#test/fixtures/synapse-like.ts';

const installMs = 15 * 60_000;
const cancelMs = 5000;
const run = promisify(execFile);

let world: BackupWorld;
let backups: Backups;
const make = (options: object = {}): Promise<BackupSet> => backups.make({ site: 'main', ...quiet(), ...options });
/** Connections of the programs that dump and restore. */
const busy = (): Promise<string> =>
  world.sql(
    "select count(*) from pg_stat_activity where application_name in ('pg_dump', 'pg_restore', 'opsroom backup');",
  );
const scratches = (): Promise<string> =>
  world.sql("select string_agg(datname, ' ') from pg_database where datname like 'opsroom%';");

beforeAll(async () => {
  world = await openBackupWorld();
  await world.sql(
    'create schema other authorization synapse;',
    'set role synapse;',
    'create table other."Odd.Name" (id serial primary key, note text);',
  );
  await world.sql(`insert into other."Odd.Name" (note) select 'note ' || n from generate_series(1, 5000) n;`);
  await world.sql(
    `insert into e2e_one_time_keys_json (user_id, device_id, algorithm, key_id, ts_added_ms, key_json)
     select '@u:x', 'D', 'curve', 'K' || n, 1, '{}' from generate_series(1, 9) n;`,
  );
}, installMs);
afterAll(async () => world[Symbol.asyncDispose]());
beforeEach(() => {
  backups = world.open();
});
afterEach(async () => {
  await rm(world.root, { recursive: true, force: true });
  await expectNothingLeft();
});

/** Whatever a test did, nothing of it goes on in the server, and no copy is left there. */
async function expectNothingLeft(): Promise<void> {
  await expect.poll(busy, { timeout: cancelMs }).toBe('0\n');
  expect(await scratches()).toBe('\n');
  expect((await readdir(tmpdir())).filter((name) => name.startsWith('opsroom-pgpass-'))).toEqual([]);
}

/** Fills in the recipe and runs its commands, as a person without Opsroom would. */
async function followRecipe(set: BackupSet, database: string): Promise<void> {
  const { superuser, superPassword, host, port, user, binDir } = world.stack.postgres;
  const recipe = await readFile(join(set.path, 'RESTORE.txt'), 'utf8');
  const lines = recipe
    .split('\n')
    .filter((line) => line.startsWith('    '))
    .map((line) => line.trim());
  const filled = lines.map((line) => line.replaceAll('OWNER', user).replace(/\bNAME\b/g, database)).join('\n');
  const unpack = await access('/usr/bin/zstd').then(
    () => '',
    () => nodeAsZstd,
  );
  const env = {
    PATH: `${binDir}:/usr/bin:/bin`,
    PGHOST: host,
    PGPORT: String(port),
    PGUSER: superuser,
    PGPASSWORD: superPassword,
  };
  await run('bash', ['-e', '-c', `${unpack}${filled}`], { env, cwd: set.path });
}

// Where the stock program isn't installed, Node's own decoder stands in for it; the rest is as in the recipe.
const nodeAsZstd = `zstd() { ${process.execPath} -e 'const {createReadStream:r}=require("fs");r(process.argv[1]).pipe(require("zlib").createZstdDecompress()).pipe(process.stdout)' "$3"; }\n`;

async function countedIn(database: string, set: BackupSet): Promise<Record<string, number>> {
  const names = Object.keys(set.manifest.database.rows);
  const sql = names.map((name) => `select $n$${name}$n$ || ' ' || count(*) from ${name}`).join(' union all ');
  const lines = (await world.stack.sql(database, [`${sql};`])).trim().split('\n');
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  );
}

describe('a set', () => {
  test('restores with stock tools as its recipe says; every count is the one of the manifest', async () => {
    const set = await make();
    await followRecipe(set, 'by_hand');
    try {
      expect(await countedIn('by_hand', set)).toEqual(set.manifest.database.rows);
      const tables = "select count(*) from pg_tables where schemaname not in ('pg_catalog', 'information_schema');";
      const known = Object.keys(set.manifest.database.rows).length;
      for (const database of ['synapse', 'by_hand']) {
        expect(Number(await world.stack.sql(database, [tables]))).toBe(known);
      }
      expect(known).toBeGreaterThan(100);
      expect(set.manifest.database.rows).toMatchObject({
        'other."Odd.Name"': 5000,
        'public.e2e_one_time_keys_json': 0,
      });
    } finally {
      await world.stack.sql('postgres', ['drop database by_hand;']);
    }
  });

  test('is closed to others, and is one zstd frame with a checksum', async () => {
    const set = await make();
    const modes = async (path: string): Promise<string> => ((await stat(path)).mode & 0o777).toString(8);
    expect(await Promise.all([modes(world.root), modes(set.path)])).toEqual(['700', '700']);
    for (const name of await readdir(set.path)) expect(await modes(join(set.path, name))).toBe('600');
    const dump = await readFile(join(set.path, 'database.dump.zst'));
    expect(frameOf(dump)).toEqual({ bytes: dump.length, checksum: true });
    expect(zstdDecompressSync(dump).length).toBe(set.manifest.database.rawBytes);
  });

  test('counts what the dump saw, whatever is written meanwhile', async () => {
    const writing = new AbortController();
    const insert = `insert into other."Odd.Name" (note) select 'late' from generate_series(1, 50);`;
    let inserts = 0;
    const writer = (async () => {
      for (; !writing.signal.aborted; inserts++) await world.sql(insert);
    })();
    const set = await make();
    writing.abort();
    await writer;
    expect(inserts).toBeGreaterThan(1);
    expect(await backups.verify(set.manifest.id, quiet())).toMatchObject({ ok: true });
  });
});

describe('a restore test', () => {
  test('sees a sequence that is behind its table', async () => {
    await world.sql(`select setval('other."Odd.Name_id_seq"', 1);`);
    const { manifest } = await make();
    const { ok, problems } = await backups.verify(manifest.id, quiet());
    await world.sql(`select setval('other."Odd.Name_id_seq"', (select max(id) from other."Odd.Name"));`);
    expect({ ok, problems }).toEqual({
      ok: false,
      problems: [expect.stringContaining('other."Odd.Name_id_seq" is at 1')],
    });
  });

  test('drops the copies that killed ones left, and none that is in use', async () => {
    await world.stack.sql('postgres', ['create database opsroom_verify_000000000001;']);
    const { manifest } = await make();
    const { host, port, superuser, superPassword } = world.stack.postgres;
    const admin = { host, port, database: 'postgres', user: superuser, password: superPassword };
    await withScratchDatabase(admin, 'opsroom_verify_', quiet().signal, async ({ database }) => {
      expect(await backups.verify(manifest.id, quiet())).toMatchObject({ ok: true });
      expect(await scratches()).toBe(`${database}\n`);
    });
    expect(await scratches()).toBe('\n');
  });

  test('by a user who may not create databases says what to do, and judges nothing', async () => {
    const { scratch: _scratch, ...postgres } = world.settings.postgres;
    const { manifest } = await make();
    await expect(world.open({ postgres }).verify(manifest.id, quiet())).rejects.toMatchObject({
      kind: 'misconfigured',
      hint: expect.stringContaining('ALTER ROLE "synapse" CREATEDB'),
    });
    expect((await backups.find('latest'))?.verification).toBeUndefined();
  });

  test('without a server judges nothing', async () => {
    const { manifest } = await make();
    const broken = world.open({ postgres: { ...world.settings.postgres, scratch: { port: 1 } } });
    await expect(broken.verify(manifest.id, quiet())).rejects.toMatchObject({ kind: 'unavailable' });
    expect((await backups.find('latest'))?.verification).toBeUndefined();
  });
});

describe('a cancel', () => {
  test.each(['dumping', 'reading it back'])('while %s ends all of it within 5 s', async (stage) => {
    await fillOnce();
    await make();
    await stopsIn(stage, (options) => make(options));
    expect(await readdir(world.root)).toHaveLength(1);
  });

  test.each(['checking the hashes', 'restoring', 'counting'])(
    'of a restore test while %s ends all of it within 5 s',
    async (stage) => {
      await fillOnce();
      const { manifest } = await make();
      await stopsIn(stage, (options) => backups.verify(manifest.id, options));
      expect((await backups.find('latest'))?.verification).toBeUndefined();
    },
  );
});

async function stopsIn(
  stage: string,
  work: (options: { signal: AbortSignal; progress: (...told: unknown[]) => void }) => Promise<unknown>,
): Promise<void> {
  const abort = new AbortController();
  let toldAt = 0;
  const progress = (_done: unknown, _total: unknown, what: unknown): void => {
    if (toldAt > 0 || !String(what).startsWith(stage)) return;
    toldAt = performance.now();
    abort.abort();
  };
  await expect(work({ signal: abort.signal, progress })).rejects.toMatchObject({ kind: 'cancelled' });
  expect(toldAt).toBeGreaterThan(0);
  await expect.poll(busy, { timeout: cancelMs }).toBe('0\n');
  expect(performance.now() - toldAt).toBeLessThan(cancelMs);
}

let filled = false;
/** So much that there is a middle to stop in. */
async function fillOnce(): Promise<void> {
  if (filled) return;
  filled = true;
  const { user, password, host, port, database } = world.stack.postgres;
  await world.sql('create schema bulk authorization synapse;');
  await fillSynapseLike({ host, port, database, user, password }, 20_000, 'bulk');
}

/** RFC 8878, 3.1.1: walks the blocks of the first frame to its end. */
function frameOf(file: Buffer): { bytes: number; checksum: boolean } {
  expect(file.readUInt32LE(0)).toBe(0xfd2fb528);
  const descriptor = file[4] ?? 0;
  const single = (descriptor & 0x20) !== 0;
  const sizeBytes = [single ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
  let at = 5 + (single ? 0 : 1) + dictionaryBytes + sizeBytes;
  for (let last = false; !last;) {
    const header = file.readUIntLE(at, 3);
    last = (header & 1) === 1;
    at += 3 + (((header >> 1) & 3) === 1 ? 1 : header >> 3);
  }
  const checksum = (descriptor & 4) !== 0;
  return { bytes: at + (checksum ? 4 : 0), checksum };
}
