import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { UserId } from '#domain/accounts.ts';
import { callRoomName, type CallServer, isIdentityOf } from '#domain/calls.ts';
import { parseRoomId } from '#domain/rooms.ts';
import { type CallWorld, callWorlds } from './call-world.ts';

const installMs = 15 * 60_000;
// A real part on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

describe.each(callWorlds)('CallServer on %s', (_name, open) => {
  let world: CallWorld;
  let calls: CallServer;
  beforeAll(async () => {
    world = await open();
    calls = world.calls;
  }, installMs);
  afterAll(async () => world[Symbol.asyncDispose]());

  const identities = async (room: string): Promise<string[]> =>
    (await calls.participants(room)).map(({ identity }) => identity).toSorted();

  test('an unknown room has nobody, and removing from it is fine', async () => {
    expect(await calls.participants('nowhere')).toEqual([]);
    await calls.remove('nowhere', '@alice:opsroom.test:DEVICE');
    expect((await calls.rooms()).map(({ name }) => name)).not.toContain('nowhere');
  });

  test('tells calls and who is in them, with times in milliseconds', async () => {
    // Base64 with + and / in it, as the names of calls are.
    const room = callRoomName(parseRoomId('!abc:example.org'));
    await world.join(room, '@alice:opsroom.test:AAA');
    await world.join(room, '@bob:opsroom.test:BBB');
    const alice = (await calls.participants(room)).find(({ identity }) => identity.startsWith('@alice'));
    expect(alice).toMatchObject({ identity: '@alice:opsroom.test:AAA', tracks: [] });
    expect(Math.abs((alice?.joinedAt ?? 0) - world.now())).toBeLessThan(60_000);
    expect(await identities(room)).toEqual(['@alice:opsroom.test:AAA', '@bob:opsroom.test:BBB']);
    const listed = (await calls.rooms()).find(({ name }) => name === room);
    expect(listed?.participants).toBe(2);
    expect(Math.abs((listed?.startedAt ?? 0) - world.now())).toBeLessThan(60_000);
  });

  test('removes one, repeatably, and the one may come again', async () => {
    await world.join('kick', '@alice:opsroom.test:AAA');
    await world.join('kick', '@bob:opsroom.test:BBB');
    await calls.remove('kick', '@alice:opsroom.test:AAA');
    await calls.remove('kick', '@alice:opsroom.test:AAA');
    await expect.poll(() => identities('kick'), { timeout: 10_000 }).toEqual(['@bob:opsroom.test:BBB']);
    await world.join('kick', '@alice:opsroom.test:AAA');
    expect(await identities('kick')).toContain('@alice:opsroom.test:AAA');
  });

  test('a user is told from others by the whole id, also with a port in the server name', async () => {
    const user = '@mallory:opsroom.test:8448' as UserId;
    const others = ['@mallory:opsroom.test:84480:AAA', '@mallory2:opsroom.test:8448:AAA', '@mallory:opsroom.test:AAA'];
    for (const identity of [`${user}:AAA`, `${user}:BBB`, ...others]) await world.join('sweep', identity);
    for (const { identity } of await calls.participants('sweep')) {
      if (isIdentityOf(identity, user)) await calls.remove('sweep', identity);
    }
    await expect.poll(() => identities('sweep'), { timeout: 10_000 }).toEqual(others.toSorted());
  });
});
