import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { KeyStore } from '#adapters/matrix/crypto/key-store.ts';
import { Machine } from '#adapters/matrix/crypto/machine.ts';
import { OpsError } from '#domain/errors.ts';
import { botUser, opsRoom } from '#test/fakes/house.ts';
import { FakeLog } from '#test/fakes/log.ts';
import { KeyPeer } from '#test/fixtures/key-peer.ts';
import { KeyWorld } from '#test/fixtures/key-world.ts';
import { SmallDisk } from '#test/fixtures/small-disk.ts';

// What a trap in WebAssembly throws; Node's types leave it out.
const { RuntimeError } = (globalThis as unknown as { WebAssembly: { RuntimeError: new (message: string) => Error } })
  .WebAssembly;

test('keys that cannot be written: nothing of that call leaves, and with room again it goes on', async (context) => {
  using disk = SmallDisk.mount(8);
  if (disk === undefined) return context.skip('mounting takes root');
  await using world = new KeyWorld(disk.path);
  const alice = await KeyPeer.login(world.server, '@alice:example.org', 'PHONE');
  await world.start();
  await world.send('before');
  disk.fill();
  const sent = (): number => world.server.asked.filter(({ path }) => path.includes(`/rooms/${opsRoom}/send/`)).length;
  const before = sent();
  // What fits into the pages that are there already may still be said; no more than that.
  const failed: unknown[] = [];
  for (let n = 0; n < 200 && failed.length === 0; n += 1)
    await world.send(`full ${n}`).catch((error: unknown) => failed.push(error));
  expect(failed).toEqual([expect.objectContaining({ kind: 'unavailable', message: expect.stringContaining('keys') })]);
  expect(failed[0]).toBeInstanceOf(OpsError);
  const full = sent() - before;
  disk.free();
  await world.send('after');
  await alice.sync();
  expect(alice.texts()).toEqual(['before', ...Array.from({ length: full }, (_, n) => `full ${n}`), 'after']);
  expect([world.fatal, world.lost]).toEqual([[], []]);
});

test('keys that cannot be written at the start: the bot starts all the same, and opens them when there is room', async (context) => {
  using disk = SmallDisk.mount(8);
  if (disk === undefined) return context.skip('mounting takes root');
  await using world = new KeyWorld(disk.path);
  const alice = await KeyPeer.login(world.server, '@alice:example.org', 'PHONE');
  await world.start();
  await world.stop();
  disk.fill();
  world.open();
  // Any other kind ends the start: then nobody would be left to page.
  await expect(world.envelopes.cipher()).rejects.toMatchObject({ kind: 'unavailable', hint: /disk/ });
  disk.free();
  await world.send('after');
  await alice.sync();
  expect(alice.texts()).toEqual(['after']);
});

test('a panic of the library ends its use in this process: it is told once, and nothing more is tried', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'opsroom-panic-'));
  try {
    const store = KeyStore.open(join(folder, 'crypto.db'));
    const died: Array<[string, boolean]> = [];
    const machine = await Machine.open({
      store,
      user: botUser,
      device: 'BOT',
      log: new FakeLog(),
      died: (why, panic) => void died.push([why.message, panic]),
    });
    const age = machine.age;
    const panic = machine.call(async () => {
      throw new RuntimeError('unreachable');
    });
    await expect(panic).rejects.toMatchObject({ kind: 'unavailable', message: 'The crypto library has failed.' });
    expect(died).toEqual([['The crypto library has failed.', true]]);
    let tried = false;
    const next = machine.call(async () => {
      tried = true;
    });
    await expect(next).rejects.toBe(machine.dead);
    expect(tried).toBe(false);
    // Another process finds the keys as they were before that call.
    const again = KeyStore.open(join(folder, 'crypto.db'));
    expect([again.age, again.deviceOf()]).toEqual([age, { user: botUser, device: 'BOT' }]);
    again.close();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
