import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { backupIdOf } from '#domain/backups.ts';
import { removeSet, sweepRemoved } from '#adapters/postgres/remove-set.ts';
import { listIds } from '#adapters/postgres/sets.ts';

const id = backupIdOf(Date.UTC(2026, 7, 1, 2), 7);
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'opsroom-remove-'));
  mkdirSync(join(root, id));
  for (const name of ['manifest.json', 'database.dump.zst']) writeFileSync(join(root, id, name), name);
});
afterEach(() => rmSync(root, { recursive: true }));

test('takes the name away first, then the files', async () => {
  await removeSet(root, id);
  expect(readdirSync(root)).toEqual([]);
  await expect(removeSet(root, id)).rejects.toMatchObject({ kind: 'notFound' });
});

test('what a crash left of it is no set, and goes with the next tidying', async () => {
  // As after the rename, and as after the manifest too.
  for (const [tomb, names] of [
    [`.removed-${id}`, ['manifest.json', 'database.dump.zst']],
    ['.removed-20260701T020000Z-000006', ['database.dump.zst']],
  ] as const) {
    mkdirSync(join(root, tomb));
    for (const name of names) writeFileSync(join(root, tomb, name), name);
  }
  expect(await listIds(root)).toEqual([id]);
  expect(await sweepRemoved(root)).toHaveLength(2);
  expect(readdirSync(root)).toEqual([id]);
  expect(await sweepRemoved(join(root, 'nowhere'))).toEqual([]);
});

test('a removal that is refused leaves the set whole, and says so', async () => {
  // Something lies already where it would be moved to.
  mkdirSync(join(root, `.removed-${id}`));
  writeFileSync(join(root, `.removed-${id}`, 'x'), 'x');
  await expect(removeSet(root, id)).rejects.toMatchObject({
    kind: 'unavailable',
    effect: 'none',
    message: expect.stringMatching(/It is as it was/),
  });
  expect(readdirSync(join(root, id)).sort()).toEqual(['database.dump.zst', 'manifest.json']);
});
