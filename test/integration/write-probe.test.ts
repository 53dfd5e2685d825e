import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { probeWrite } from '#adapters/system/write-probe.ts';
import { SmallDisk } from '#test/fixtures/small-disk.ts';

// A disk that fills up while the bot is idle.
test('I2: a full disk is noticed, and that there is room again; nothing is left behind', async (context) => {
  using disk = SmallDisk.mount(1);
  if (disk === undefined) return context.skip('a small file system can only be mounted by root');
  await probeWrite(disk.path);
  disk.fill();
  await expect(probeWrite(disk.path)).rejects.toMatchObject({
    kind: 'unavailable',
    message: `Nothing can be written under ${disk.path}: the disk is full.`,
  });
  expect(await readdir(disk.path)).toEqual(['filler']);
  disk.free();
  await probeWrite(disk.path);
  disk.readOnly(true);
  await expect(probeWrite(disk.path)).rejects.toThrow('the disk is read-only');
});

test('I2: a directory that went away is noticed too', async () => {
  await expect(probeWrite(join(tmpdir(), 'opsroom-gone', 'away'))).rejects.toMatchObject({ kind: 'unavailable' });
});
