import {
  appendFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { backupIdOf, type Manifest } from '#domain/backups.ts';
import { sha256Hex } from '#domain/canonical.ts';
import { hashFile } from '#adapters/postgres/disk.ts';
import { checkFiles, readManifest, writeManifest } from '#adapters/postgres/manifest-file.ts';
import { openDirectory, readSets } from '#adapters/postgres/sets.ts';
import { readVerdict, writeVerdict } from '#adapters/postgres/verdict-file.ts';

const id = backupIdOf(Date.parse('2026-08-01T02:00:00Z'), 231);
const signal = new AbortController().signal;
const ignore = (): void => undefined;
const names = ['database.dump.zst', 'RESTORE.txt'] as const;
const contents: Record<string, Buffer> = {
  'database.dump.zst': zstdCompressSync(Buffer.from('some rows of some tables\n'.repeat(50))),
  'RESTORE.txt': Buffer.from('How to restore it.\n'),
};

const manifestOf = (files: Manifest['files']): Manifest => ({
  format: 1,
  id,
  sequence: 231,
  site: 'main',
  startedAt: 1_785_549_600_000,
  endedAt: 1_785_549_609_000,
  opsroom: '0.1.0',
  database: {
    name: 'synapse',
    serverVersion: '15.18',
    dumpVersion: '15.18',
    rows: { 'public.events': 41_033, 'public."Odd name"': 0, 'public.e2e_one_time_keys_json': 0 },
    emptied: ['public.e2e_one_time_keys_json'],
    rawBytes: 1250,
  },
  files,
});

let root: string;
let set: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'opsroom-files-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

async function freshSet(): Promise<void> {
  set = join(root, id);
  await rm(set, { recursive: true, force: true });
  await mkdir(set);
  for (const name of names) await writeFile(join(set, name), contents[name]!);
  const files = await Promise.all(
    names.map(async (name) => ({ name, ...(await hashFile(join(set, name), signal, ignore)) })),
  );
  await writeManifest(set, manifestOf(files));
}
beforeEach(freshSet);

async function problems(): Promise<string[]> {
  const read = await readManifest(set, id);
  return read.ok ? checkFiles(set, read.manifest, signal, ignore) : [read.why];
}

/** What is found when a file has other bytes for a while. */
async function problemsWith(name: string, change: (bytes: Buffer) => Buffer): Promise<string> {
  const file = join(set, name);
  const bytes = await readFile(file);
  try {
    await writeFile(file, change(Buffer.from(bytes)));
    return (await problems()).join();
  } finally {
    await writeFile(file, bytes);
  }
}

function flipBit(bytes: Buffer, at: number): Buffer {
  const bit = at % (bytes.length * 8);
  bytes[bit >> 3]! ^= 1 << (bit & 7);
  return bytes;
}

describe('the files of a set', () => {
  test('as they were written are all well, a verdict beside them too', async () => {
    expect(await problems()).toEqual([]);
    await writeVerdict(root, set, { id, at: 5, ok: true, problems: [], tables: 3, rows: 41_033, tookMs: 7 });
    expect(await problems()).toEqual([]);
    expect(await readVerdict(set, id)).toMatchObject({ ok: true, rows: 41_033 });
    expect(await readdir(root)).toEqual([id]);
  });

  // E4
  test('1,000 single bits, anywhere: each is seen and its file named', async () => {
    const anywhere = fc.asyncProperty(
      fc.constantFrom(...names, 'manifest.json' as const),
      fc.nat(),
      async (name, at) => {
        expect(await problemsWith(name, (bytes) => flipBit(bytes, at))).toContain(name);
      },
    );
    await fc.assert(anywhere, { numRuns: 1000 });
  }, 60_000);

  // E4
  test('cut at any length: seen and named', async () => {
    const anywhere = fc.asyncProperty(
      fc.constantFrom(...names, 'manifest.json' as const),
      fc.nat(),
      async (name, at) => {
        expect(await problemsWith(name, (bytes) => bytes.subarray(0, at % bytes.length))).toContain(name);
      },
    );
    await fc.assert(anywhere, { numRuns: 100 });
  }, 60_000);

  const damages: Array<[string, RegExp, () => Promise<void>]> = [
    ['a file is gone', /^RESTORE\.txt is missing$/, () => rm(join(set, 'RESTORE.txt'))],
    ['the manifest is gone', /^manifest\.json is missing/, () => rm(join(set, 'manifest.json'))],
    ['a file too many', /^more\.txt does not belong/, () => writeFile(join(set, 'more.txt'), '')],
    [
      'bytes at the end',
      /^RESTORE\.txt has 20 bytes, 19 were written$/,
      () => appendFile(join(set, 'RESTORE.txt'), 'x'),
    ],
    [
      'a second frame',
      /^database\.dump\.zst has/,
      () => appendFile(join(set, names[0]), zstdCompressSync(Buffer.from('x'))),
    ],
    ['spaces in the manifest', /^manifest\.json was changed/, () => appendFile(join(set, 'manifest.json'), ' ')],
    [
      'a link in place of a file',
      /^RESTORE\.txt is missing$/,
      async () => {
        await rename(join(set, 'RESTORE.txt'), join(root, 'elsewhere'));
        await symlink(join(root, 'elsewhere'), join(set, 'RESTORE.txt'));
      },
    ],
    [
      'two files swapped',
      /database\.dump\.zst has .*RESTORE\.txt has/,
      async () => {
        await rename(join(set, names[0]), join(set, 'x'));
        await rename(join(set, names[1]), join(set, names[0]));
        await rename(join(set, 'x'), join(set, names[1]));
      },
    ],
    [
      'the whole manifest of another set',
      /^manifest\.json is that of another set, 20260801T020000Z-000232$/,
      async () => {
        await rm(join(set, 'manifest.json'));
        await writeManifest(set, {
          ...manifestOf([{ name: 'x', bytes: 1, sha256: sha256Hex('x') }]),
          id: backupIdOf(1_785_549_600_000, 232),
        });
      },
    ],
    [
      'a manifest that names a file outside',
      /^manifest\.json is damaged$/,
      async () => {
        await rm(join(set, 'manifest.json'));
        await writeManifest(set, manifestOf([{ name: '../../secret', bytes: 1, sha256: sha256Hex('x') }]));
      },
    ],
  ];
  test.each(damages)('%s: seen', async (_name, expected, damage) => {
    await damage();
    expect((await problems()).join()).toMatch(expected);
  });

  test('a damaged verdict counts as none', async () => {
    await writeVerdict(root, set, { id, at: 5, ok: true, problems: [], tables: 3, rows: 41_033, tookMs: 7 });
    await truncate(join(set, 'verification.json'), 20);
    expect(await readVerdict(set, id)).toBeUndefined();
  });
});

describe('the directory', () => {
  test('lists whole sets and damaged ones apart, and nothing that only looks like one', async () => {
    await openDirectory(root);
    const damaged = backupIdOf(Date.parse('2026-08-02T02:00:00Z'), 232);
    for (const name of [damaged, '.partial-20260803T020000Z-000233.1-2-abcdef01', 'lost+found']) {
      await mkdir(join(root, name), { recursive: true });
    }
    await writeFile(join(root, backupIdOf(0, 9)), 'a file, not a directory');
    const found = await readSets(root);
    expect(found.sets.map((one) => one.manifest.id)).toEqual([id]);
    expect(found.damaged).toMatchObject([{ id: damaged, why: 'manifest.json is missing or can not be read' }]);
  });

  test('that is missing has no sets', async () => {
    expect(await readSets(join(root, 'nowhere'))).toEqual({ sets: [], damaged: [] });
  });
});
