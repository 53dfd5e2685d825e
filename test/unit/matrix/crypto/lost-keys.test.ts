import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { OpsError } from '#domain/errors.ts';
import { areKeysLost } from '#adapters/matrix/crypto/keys-lost.ts';
import { botUser } from '#test/fakes/house.ts';
import { KeyWorld } from '#test/fixtures/key-world.ts';
import { KeyPeer } from '#test/fixtures/key-peer.ts';

let folder: string;
let world: KeyWorld;
let alice: KeyPeer;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'opsroom-keys-'));
  world = new KeyWorld(folder);
  alice = await KeyPeer.login(world.server, '@alice:example.org', 'PHONE');
  await world.start();
  await world.send('before');
  await alice.sync();
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});
const store = (): string => join(folder, 'crypto.db');
function remove(...names: string[]): void {
  for (const name of names) for (const end of ['', '-wal', '-shm']) rmSync(join(folder, name) + end, { force: true });
}
const opened = (): Promise<unknown> =>
  world.envelopes.cipher().then(
    () => 'open',
    (error: unknown) => error,
  );
const shields = async (): Promise<number[]> => {
  await alice.sync();
  return alice.read.filter(({ event }) => event.sender === botUser).map(({ shield }) => shield);
};

test('a lost store is noticed before anything is uploaded, and says what to do', async () => {
  await world.stop();
  remove('crypto.db');
  world.open();
  const before = world.server.asked.length;
  const error = await opened();
  expect(areKeysLost(error)).toBe(true);
  expect((error as OpsError).hint).toMatch(/matrix\.password/);
  expect(world.server.asked.slice(before).filter(({ path }) => path.includes('upload'))).toEqual([]);
  expect(world.lost).toEqual([error]);
});

test('a new device is signed by the saved seeds: nobody is warned, and the identity is the same', async () => {
  const identity = world.server.identityOf(botUser)?.master_key['keys'];
  await world.stop();
  remove('crypto.db');
  world.server.logout(botUser, 'BOT');
  world.device = 'BOT2';
  world.open();
  await world.once();
  await world.send('after');
  expect(await shields()).toEqual([2, 2]);
  expect(alice.texts()).toEqual(['before', 'after']);
  expect(world.server.identityOf(botUser)?.master_key['keys']).toEqual(identity);
});

test('keys of another device make place for the new device’s own', async () => {
  await world.stop();
  world.device = 'BOT2';
  world.open();
  await world.once();
  await world.send('after');
  expect(await shields()).toEqual([2, 2]);
  expect(world.log.messages('warn')).toContainEqual(expect.stringContaining('begins with new keys'));
});

test('a token of a device that is in use elsewhere is not taken', async () => {
  await world.stop();
  world.server.setKeys(botUser, 'ELSEWHERE');
  world.device = 'ELSEWHERE';
  world.open();
  expect(areKeysLost(await opened())).toBe(true);
});

describe('an older copy put back', () => {
  /** Copies the keys, goes on for a while, and puts the copy back. */
  async function putBack(between: () => Promise<void>): Promise<void> {
    await world.stop();
    const copy = join(folder, 'copy.db');
    copyFileSync(store(), copy);
    world.open();
    await world.once();
    await between();
    await world.stop();
    remove('crypto.db');
    copyFileSync(copy, store());
  }

  test('shows by the bot’s memory', async () => {
    await putBack(async () => {
      await world.send('meanwhile');
      await alice.say('!ping');
      await world.once();
    });
    world.open({ noted: () => world.storage.ledger.position('keys') });
    world.server.accountData.clear();
    expect(areKeysLost(await opened())).toBe(true);
  });

  test('shows by the homeserver when the memory was put back with it', async () => {
    await putBack(async () => {
      await world.send('meanwhile');
      await world.stop();
      world.open();
      await world.once();
    });
    world.open({ noted: () => undefined });
    expect(areKeysLost(await opened())).toBe(true);
  });

  test('and at the latest when it uploads keys of the same names', async () => {
    await world.stop();
    world.server.renameOneTimeKeys(botUser, 'BOT');
    world.open();
    await world.once().catch(() => {});
    world.server.dropOneTimeKeys(botUser, 'BOT', 30);
    await world.once().catch(() => {});
    expect(world.lost.length + Number(areKeysLost(await opened()))).toBeGreaterThan(0);
  });
});

describe('the bot’s identity', () => {
  test('lost with its seeds: with the password a new one is made, without it the bot says what it needs', async () => {
    await world.stop();
    remove('crypto.db', 'cross-signing.json');
    world.server.passwords.set(botUser, 'secret');
    world.device = 'BOT2';
    world.open();
    const cipher = await world.envelopes.cipher();
    expect(cipher.signed).toBe('no-seeds');
    await world.once();
    await expect(world.send('mute')).rejects.toMatchObject({ kind: 'misconfigured', hint: /crypto reset|password/ });
    await world.stop();
    world.open({ password: 'secret' });
    await world.once();
    await world.send('after');
    await alice.sync();
    expect(alice.texts()).toEqual(['before', 'after']);
  });

  test('is made once, and its seeds do not change', async () => {
    const identity = world.server.identityOf(botUser);
    for (let n = 0; n < 3; n += 1) {
      await world.stop();
      world.open();
      await world.once();
    }
    expect(world.server.identityOf(botUser)).toEqual(identity);
    expect(
      world.server.asked.filter(({ path, user }) => user === botUser && path.includes('device_signing')),
    ).toHaveLength(1);
  });

  test('a signature that the homeserver did not take is not taken for granted', async () => {
    await world.stop();
    remove('crypto.db');
    world.device = 'BOT2';
    world.server.refuseSignatures = true;
    world.open();
    expect(await opened()).toMatchObject({ kind: 'unavailable', message: /signature/ });
  });
});
