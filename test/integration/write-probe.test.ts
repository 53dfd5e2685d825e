import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { probeWrite } from '#adapters/system/write-probe.ts';

// A disk that fills up while the bot is idle.
const run = promisify(execFile);
let directory: string;
let mounted: boolean;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'opsroom-probe-'));
  mounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', directory]).then(
    () => true,
    () => false,
  );
});
afterEach(async () => {
  if (mounted) await run('umount', [directory]);
  await rm(directory, { recursive: true, force: true });
});

test('I2: a full disk is noticed, and that there is room again; nothing is left behind', async (context) => {
  if (!mounted) return context.skip('a small file system can only be mounted by root');
  await probeWrite(directory);
  await writeFile(join(directory, 'filler'), Buffer.alloc(4 << 20)).catch(() => undefined);
  await expect(probeWrite(directory)).rejects.toMatchObject({
    kind: 'unavailable',
    message: `Nothing can be written under ${directory}: the disk is full.`,
  });
  expect(await readdir(directory)).toEqual(['filler']);
  await rm(join(directory, 'filler'));
  await probeWrite(directory);
  await run('mount', ['-o', 'remount,ro', directory]);
  await expect(probeWrite(directory)).rejects.toThrow('the disk is read-only');
});

test('I2: a directory that went away is noticed too', async () => {
  await expect(probeWrite(join(directory, 'gone'))).rejects.toMatchObject({ kind: 'unavailable' });
});
