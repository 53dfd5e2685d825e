import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { KeyPeer } from '#test/fixtures/key-peer.ts';
import { KeyWorld } from '#test/fixtures/key-world.ts';

const alice = '@alice:example.org';

let folder: string;
let world: KeyWorld;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'opsroom-hostile-'));
  world = new KeyWorld(folder);
});
afterEach(async () => {
  vi.useRealTimers();
  await world[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

describe('the clock is set, as NTP and a machine that was paused do', () => {
  test.each([
    ['back by an hour', -3_600_000],
    ['back by two seconds', -2000],
    ['on by an hour', 3_600_000],
    ['on by eight days', 8 * 86_400_000],
  ])('%s: no key is used that the library takes for expired, which would end the process', async (_, byMs) => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const peer = await KeyPeer.login(world.server, alice, 'PHONE');
    await world.start();
    await world.send('before');
    vi.setSystemTime(Date.now() + byMs);
    world.clock.setWall(world.clock.now() + byMs);
    await world.send('after');
    await world.send('and on');
    await peer.sync();
    expect(peer.texts()).toEqual(['before', 'after', 'and on']);
  });
});
