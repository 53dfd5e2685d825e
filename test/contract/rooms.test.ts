import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { UserId } from '#domain/accounts.ts';
import { parseRoomId, type RoomAlias, type Rooms } from '#domain/rooms.ts';
import { type HomeserverWorld, worlds } from './homeserver-world.ts';

const installMs = 15 * 60_000;
// A real part on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

describe.each(worlds)('Rooms on %s', (_name, open) => {
  let world: HomeserverWorld;
  let rooms: Rooms;
  let owner: UserId;
  let guest: UserId;
  beforeAll(async () => {
    world = await open();
    rooms = world.rooms;
    owner = await world.newUser('owner');
    guest = await world.newUser('guest');
  }, installMs);
  afterAll(async () => world[Symbol.asyncDispose]());

  const unknown = parseRoomId('!nothing-here/../x');

  test('tells a room that the admin account is not in', async () => {
    const alias = `#salon:${world.accounts.serverName}` as RoomAlias;
    const room = await world.newRoom({ creator: owner, name: 'Salon', alias, public: true, joined: [guest] });
    // The numbers come from statistics, which follow with a delay; the members don't.
    expect((await rooms.members(room)).toSorted()).toEqual([guest, owner].toSorted());
    await expect.poll(async () => (await rooms.get(room)).joinedMembers, { timeout: 10_000 }).toBe(2);
    expect(await rooms.get(room)).toEqual({
      room,
      name: 'Salon',
      alias,
      joinedMembers: 2,
      joinedLocalMembers: 2,
      version: '12',
      creator: owner,
      encrypted: false,
      joinRule: 'public',
      // Anyone may join, yet nobody put it into the directory.
      public: false,
    });
    expect(await rooms.resolve(alias)).toBe(room);
  });

  test('tells a private, encrypted room without a name; invited ones are no members', async () => {
    const room = await world.newRoom({ creator: owner, encrypted: true, invited: [guest] });
    expect(await rooms.get(room)).toMatchObject({
      name: undefined,
      encrypted: true,
      joinRule: 'invite',
      public: false,
    });
    expect(await rooms.members(room)).toEqual([owner]);
  });

  test('an unknown room or alias is not found', async () => {
    for (const ask of [
      () => rooms.get(unknown),
      () => rooms.members(unknown),
      () => rooms.resolve(`#nothing:${world.accounts.serverName}` as RoomAlias),
    ]) {
      await expect(ask()).rejects.toMatchObject({ name: 'OpsError', kind: 'notFound', effect: 'none' });
    }
  });

  test('the calls that somebody joined there, also those they left; of others none', async () => {
    const room = await world.newRoom({ creator: owner, name: 'Talk', joined: [guest] });
    expect(await rooms.callMemberships(room, owner)).toEqual([]);
    await world.joinCall(room, owner, { device: 'PHONE', member: 'm-1' });
    await world.joinCall(room, owner, { device: 'PHONE', member: 'm-2' });
    expect((await rooms.callMemberships(room, owner)).toSorted((a, b) => a.member.localeCompare(b.member))).toEqual([
      { device: 'PHONE', member: 'm-1' },
      { device: 'PHONE', member: 'm-2' },
    ]);
    expect(await rooms.callMemberships(room, guest)).toEqual([]);
  });

  test('lists by part of the name, in pages', async () => {
    for (const letter of 'abc') await world.newRoom({ creator: owner, name: `Page ${letter}` });
    const first = await rooms.list({ text: 'page ', limit: 2 });
    const second = await rooms.list({ text: 'page ', limit: 2, from: 2 });
    expect([...first.rooms, ...second.rooms].map(({ name }) => name)).toEqual(['Page a', 'Page b', 'Page c']);
    expect([first.total, second.total]).toEqual([3, 3]);
    expect(await rooms.list({ text: 'no such room' })).toEqual({ rooms: [], total: 0 });
    const all = await rooms.list({ text: '' });
    expect(all.total).toBeGreaterThanOrEqual(5);
    expect(all.rooms).toHaveLength(all.total);
  });
});
