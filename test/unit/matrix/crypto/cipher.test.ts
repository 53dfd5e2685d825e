import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { KeyWorld } from '#test/fixtures/key-world.ts';
import { KeyPeer } from '#test/fixtures/key-peer.ts';

let folder: string;
let world: KeyWorld;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'opsroom-keys-'));
  world = new KeyWorld(folder);
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

describe('an encrypted room', () => {
  test('a command of a signed device is read as such, and the answer is readable there', async () => {
    const alice = await KeyPeer.login(world.server, '@alice:example.org', 'PHONE');
    await world.start();
    await alice.say('!help');
    expect(await world.take()).toEqual([
      expect.objectContaining({
        proof: 'signed-device',
        device: 'PHONE',
        body: { kind: 'message', text: '!help', links: [] },
      }),
    ]);
    await world.send('hello');
    await alice.sync();
    expect(alice.texts()).toEqual(['hello']);
    expect(world.server.events.filter(({ type }) => type === 'm.room.message')).toEqual([]);
  });
});
