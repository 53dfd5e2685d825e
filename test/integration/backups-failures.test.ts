import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { BackupId, BackupSet } from '#domain/backups.ts';
import type { BackupSettings } from '#adapters/postgres/backup-settings.ts';
import { checkFiles, readManifest } from '#adapters/postgres/manifest-file.ts';
import { type BackupWorld, openBackupWorld, quiet } from '#test/fixtures/backup-world.ts';

const installMs = 15 * 60_000;
const kills = 50;
const run = promisify(execFile);
const childProgram = new URL('../fixtures/backup-child.ts', import.meta.url).pathname;

let world: BackupWorld;
let scripts: string;
beforeAll(async () => {
  world = await openBackupWorld();
  await world.sql(
    'create schema other authorization synapse;',
    'set role synapse;',
    'create table other.noise (n int, text text);',
  );
  await world.sql(
    `insert into other.noise select n, encode(sha256(n::text::bytea), 'base64') from generate_series(1, 60000) n;`,
  );
}, installMs);
afterAll(async () => world[Symbol.asyncDispose]());
beforeEach(async () => {
  scripts = await mkdtemp(join(tmpdir(), 'opsroom-scripts-'));
});
afterEach(async () => {
  await rm(world.root, { recursive: true, force: true });
  await rm(scripts, { recursive: true, force: true });
});

const make = (change: Partial<BackupSettings> = {}): Promise<BackupSet> =>
  world.open(change).make({ site: 'main', ...quiet() });
const pgPasses = async (): Promise<string[]> =>
  (await readdir(tmpdir())).filter((name) => name.startsWith('opsroom-pgpass-'));

/** Every byte of every set, by name. */
async function fingerprint(root = world.root): Promise<Map<string, string>> {
  const names = await readdir(root).catch(() => [] as string[]);
  const prints = names.toSorted().map(async (set): Promise<[string, string]> => {
    const hash = createHash('sha256');
    for (const name of (await readdir(join(root, set))).toSorted())
      hash.update(name).update(await readFile(join(root, set, name)));
    return [set, hash.digest('hex')];
  });
  return new Map(await Promise.all(prints));
}

/** A directory whose pg_dump is a script; `REAL` is the real one. */
async function pgDump(script: string): Promise<Partial<BackupSettings>> {
  const { postgres } = world.settings;
  const real = join(postgres.binDir ?? '', 'pg_dump');
  const text = `#!/bin/sh\nREAL=${real}\nif [ "$1" = --version ]; then ${script.includes('--version') ? '' : 'exec $REAL --version'}\n:; fi\n${script}\n`;
  await writeFile(join(scripts, 'pg_dump'), text, { mode: 0o755 });
  return { postgres: { ...postgres, binDir: scripts } };
}
const at = (change: Partial<BackupSettings['postgres']>): Partial<BackupSettings> => ({
  postgres: { ...world.settings.postgres, ...change },
});

type Failure = [string, () => Partial<BackupSettings> | Promise<Partial<BackupSettings>>, string, RegExp];
// E1
const failures: Failure[] = [
  ['no server', () => at({ port: 1 }), 'unavailable', /while looking at the server: .*127\.0\.0\.1:1, .*ECONNREFUSED/],
  [
    'no such database',
    () => at({ database: 'nothing' }),
    'misconfigured',
    /while looking at the server: .*"nothing" does not exist/,
  ],
  ['a wrong password', () => at({ password: 'canary-123' }), 'misconfigured', /the user synapse was not let in/],
  [
    'no pg_dump',
    () => at({ binDir: scripts }),
    'misconfigured',
    /pg_dump of PostgreSQL \d+ or newer is needed, there is no pg_dump/,
  ],
  [
    'a pg_dump older than the server',
    () => pgDump('echo "pg_dump (PostgreSQL) 9.6.1"; exit 0 # --version'),
    'misconfigured',
    /is version 9\.6\.1/,
  ],
  [
    'it can not connect',
    () => pgDump('exec $REAL --host=127.0.0.1 --port=1 --dbname=x'),
    'unavailable',
    /while dumping the database: pg_dump ended with code 1: .*Connection refused/s,
  ],
  [
    'it dies half-way',
    () => pgDump('$REAL "$@" | head -c 300000; echo "server closed the connection" >&2; exit 1'),
    'unavailable',
    /ended with code 1: server closed the connection\. Nothing was kept/,
  ],
  [
    'it is killed half-way',
    () => pgDump('$REAL "$@" | head -c 300000; kill -9 $$'),
    'unavailable',
    /pg_dump was ended by SIGKILL/,
  ],
  ['it writes nothing and ends well', () => pgDump('exit 0'), 'unavailable', /ended well but wrote nothing/],
  [
    'it writes something else and ends well',
    () => pgDump('echo "-- PostgreSQL database dump"'),
    'unavailable',
    /is not an archive/,
  ],
  [
    'it never ends, and the tables can not be read',
    () => pgDump('exec sleep 60'),
    'misconfigured',
    /permission denied for table secret/,
  ],
  [
    'no room to begin with',
    () => ({ floorBytes: 2 ** 60 }),
    'unavailable',
    /while checking the free space: no room under .*: 1048576 TiB needed, .* free/,
  ],
  [
    'a file where the directory should be',
    () => ({ directory: childProgram }),
    'unavailable',
    /while getting ready: the disk under .* refused it/,
  ],
];

describe('a backup that fails', () => {
  test.each(failures)('%s: says so and leaves nothing', async (name, change, kind, message) => {
    await make();
    const before = await fingerprint();
    const settings = await change();
    if (name.includes('can not be read')) await world.sql('create table secret (n int);');
    const failed = await make(settings).then(
      () => expect.unreachable(),
      (error: Error) => error,
    );
    await world.sql('drop table if exists secret;');
    expect(failed).toMatchObject({ name: 'OpsError', kind, effect: 'none', message: expect.stringMatching(message) });
    expect(failed.message).not.toMatch(new RegExp(`canary-123|${world.settings.postgres.password}`));
    expect(await fingerprint()).toEqual(before);
    expect(await pgPasses()).toEqual([]);
  });

  test('never shows its password: not in arguments, environment or errors; the password file is private', async () => {
    const seen = join(scripts, 'seen');
    const look = `{ echo "$@"; env; stat -c %a "$PGPASSFILE" "$(dirname "$PGPASSFILE")"; } > ${seen}; cat "$PGPASSFILE" >&2; exit 1`;
    const failed = await make(await pgDump(look)).catch((error: Error) => error.message);
    const told = await readFile(seen, 'utf8');
    expect(told).toMatch(/--snapshot=\S+ .*PGPASSFILE=.*600\n700\n$/s);
    const password = world.settings.postgres.password ?? '';
    for (const text of [told, failed]) expect(text).not.toContain(password);
    expect(failed).toContain('*:*:*:*:***');
    // Nothing of the bot's own environment, where secrets may be.
    const names = (told.match(/^\w+=/gm) ?? []).filter((name) => !['LD_PRELOAD=', '_STDBUF_O='].includes(name));
    expect(names.toSorted()).toEqual(['LC_ALL=', 'PATH=', 'PGPASSFILE=', 'PWD=']);
  });

  test('does not hold up a DROP TABLE, and begins again when it came between snapshot and dump', async () => {
    await world.sql('set role synapse; create table other.victim (n int);');
    const [started, go] = [join(scripts, 'started'), join(scripts, 'go')];
    const making = make(await pgDump(`touch ${started}; until [ -e ${go} ]; do sleep 0.02; done; exec $REAL "$@"`));
    try {
      await expect.poll(() => readdir(scripts), { timeout: 10_000 }).toContain('started');
      // Waits for the lock of a count at most for a moment.
      await world.sql("set lock_timeout = '2s'; drop table other.victim;");
    } finally {
      await writeFile(go, '');
    }
    const { manifest } = await making;
    expect(Object.keys(manifest.database.rows)).not.toContain('other.victim');
    expect(await world.open().verify(manifest.id, quiet())).toMatchObject({ ok: true });
  });

  test('when the directory vanishes under it', async () => {
    let gone: Promise<void> | undefined;
    const progress = (): void => {
      gone ??= rm(world.root, { recursive: true, force: true });
    };
    await expect(world.open().make({ ...quiet(), site: 'main', progress })).rejects.toMatchObject({
      kind: 'unavailable',
    });
    await gone;
  });

  // E3
  test('on a full disk names path, needed and free; earlier sets are as they were', async (context) => {
    const root = join(scripts, 'small');
    await mkdir(root);
    const mounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', root]).catch(() => undefined);
    if (mounted === undefined) context.skip('this user may not mount a small file system');
    try {
      await make({ directory: root });
      const before = await fingerprint(root);
      await world.sql(`set role synapse; create table other.more as select sha256((random() || 'x' || n)::text::bytea) a,
        sha256((random() || 'y' || n)::text::bytea) b from generate_series(1, 400000) n;`);
      await expect(make({ directory: root })).rejects.toMatchObject({
        kind: 'unavailable',
        message: expect.stringMatching(
          /while dumping the database: no room under \S+small: \d.* needed, \d.* free\. Nothing was kept/,
        ),
        hint: expect.stringContaining('Free some room'),
      });
      expect(await fingerprint(root)).toEqual(before);
    } finally {
      await world.sql('drop table if exists other.more;');
      await run('umount', [root]);
    }
  });
});

// E2, and "Done when" 4 of the first issue.
describe('a backup that is killed', () => {
  const start = () => {
    const { clock: _clock, ...settings } = world.settings;
    const child = spawn(process.execPath, [childProgram], { stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdin.end(JSON.stringify(settings));
    return child;
  };

  test(`at a random moment, ${kills} times: nothing looks whole that isn't, earlier sets are untouched, tidy cleans up`, async () => {
    const whole = start();
    await once(whole.stdout, 'data');
    const begun = performance.now();
    await once(whole, 'close');
    const wholeMs = performance.now() - begun;
    const outcomes = { left: 0, published: 0 };
    for (let n = 0; n < kills; n++) {
      const before = await fingerprint();
      const child = start();
      await once(child.stdout, 'data');
      const timer = setTimeout(() => child.kill('SIGKILL'), Math.random() * wholeMs * 1.05);
      await once(child, 'close');
      clearTimeout(timer);
      const after = await fingerprint();
      for (const [name, print] of before) if (!name.startsWith('.')) expect(after.get(name)).toBe(print);
      const added = [...after.keys()].filter((name) => !before.has(name));
      for (const name of added) {
        outcomes[name.startsWith('.partial-') ? 'left' : 'published'] += 1;
        if (!name.startsWith('.')) await expectWhole(name as BackupId);
      }
    }
    const backups = world.open();
    const sets = (await readdir(world.root)).filter((name) => !name.startsWith('.'));
    expect((await backups.list()).map((set) => set.manifest.id).toSorted()).toEqual(sets.toSorted());
    expect(await backups.damaged()).toEqual([]);
    await backups.tidy();
    expect((await readdir(world.root)).toSorted()).toEqual(sets.toSorted());
    expect(await pgPasses()).toEqual([]);
    // The moments were spread: most were cut off, and at least the first one was not.
    expect(outcomes.left).toBeGreaterThan(kills / 5);
    await expect
      .poll(() => world.sql("select count(*) from pg_stat_activity where application_name = 'pg_dump';"))
      .toBe('0\n');
    expect(await backups.verify((await make()).manifest.id, quiet())).toMatchObject({ ok: true });
  }, 300_000);

  async function expectWhole(id: BackupId): Promise<void> {
    const directory = join(world.root, id);
    const read = await readManifest(directory, id);
    expect(read).toMatchObject({ ok: true });
    if (read.ok) expect(await checkFiles(directory, read.manifest, quiet().signal, () => undefined)).toEqual([]);
  }

  test("is in nobody else's way: another process is refused while it lives", async () => {
    const child = start();
    await once(child.stdout, 'data');
    await expect
      .poll(() => readdir(world.root).catch(() => []), { interval: 2, timeout: 5000 })
      .toContainEqual(expect.stringContaining('.partial-'));
    child.kill('SIGSTOP');
    const left = await readdir(world.root);
    await expect(make()).rejects.toMatchObject({
      kind: 'conflict',
      message: expect.stringContaining('in another process'),
    });
    expect(await readdir(world.root)).toEqual(left);
    child.kill('SIGKILL');
    await once(child, 'close');
    expect((await make()).manifest.sequence).toBe(1);
  });
});
