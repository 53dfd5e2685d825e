import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Accounts, UserId } from '#domain/accounts.ts';
import { firstPassword, type HomeserverWorld, worlds } from './homeserver-world.ts';

const installMs = 15 * 60_000;
// A real part on a busy machine.
vi.setConfig({ testTimeout: 60_000 });
const validForMs = 60_000;

describe.each(worlds)('Accounts on %s', (_name, open) => {
  let world: HomeserverWorld;
  let accounts: Accounts;
  beforeAll(async () => {
    world = await open();
    accounts = world.accounts;
  }, installMs);
  afterAll(async () => world[Symbol.asyncDispose]());

  const typo = (): UserId => `@malory:${accounts.serverName}` as UserId;

  test('tells an account, with the time it was made in milliseconds in both answers', async () => {
    const user = await world.newUser('alice');
    const account = await accounts.get(user);
    expect(account).toMatchObject({ user, displayName: 'alice', admin: false, deactivated: false, erased: false });
    expect(account).toMatchObject({ locked: false, suspended: false, shadowBanned: false, emails: [] });
    expect(Math.abs(account.createdAt - world.now())).toBeLessThan(10 * 60_000);
    const listed = (await accounts.list({ text: 'alice' })).accounts[0];
    expect(Math.abs((listed?.createdAt ?? 0) - account.createdAt)).toBeLessThanOrEqual(1000);
  });

  test('knows its own admin account and server', async () => {
    expect((await accounts.get(accounts.adminUser)).admin).toBe(true);
    expect(accounts.adminUser.endsWith(`:${accounts.serverName}`)).toBe(true);
  });

  test("another server's user is not found", async () => {
    expect(await accounts.find('@alice:elsewhere.test' as UserId)).toBeUndefined();
  });

  const writes: Array<[string, (user: UserId) => Promise<unknown>]> = [
    ['setLocked', (user) => accounts.setLocked(user, true)],
    ['setSuspended', (user) => accounts.setSuspended(user, true)],
    ['setPassword', (user) => accounts.setPassword(user, 'another-long-password')],
    ['setRateLimit', (user) => accounts.setRateLimit(user, { messagesPerSecond: 0, burstCount: 0 })],
    ['deleteDevices', (user) => accounts.deleteDevices(user, ['DEVICE'])],
    ['deactivate', (user) => accounts.deactivate(user, false)],
    ['actAs', (user) => accounts.actAs(user, validForMs)],
    ['memberships', (user) => accounts.memberships(user)],
    ['devices', (user) => accounts.devices(user)],
    ['rateLimit', (user) => accounts.rateLimit(user)],
  ];

  test.each(writes)('%s on a mistyped id is refused and creates no account', async (_method, write) => {
    const { total } = await accounts.list({});
    await expect(write(typo())).rejects.toMatchObject({ name: 'OpsError', kind: 'notFound', effect: 'none' });
    expect(await accounts.find(typo())).toBeUndefined();
    expect((await accounts.list({})).total).toBe(total);
  });

  test('the admin account is never a target', async () => {
    const self = accounts.adminUser;
    const reads = ['memberships', 'devices', 'rateLimit', 'setRateLimit'];
    for (const [method, change] of writes.filter(([name]) => !reads.includes(name))) {
      await expect(change(self), method).rejects.toMatchObject({ kind: 'denied', effect: 'none' });
    }
    expect(await accounts.get(self)).toMatchObject({ locked: false, suspended: false, deactivated: false });
  });

  test('lists locked accounts among the others, and only them when asked', async () => {
    const users = [await world.newUser('list-a'), await world.newUser('list-b'), await world.newUser('list-c')];
    await accounts.setLocked(users[1] as UserId, true);
    const all = await accounts.list({ text: 'list-' });
    expect(all.accounts.map(({ user, locked }) => [user, locked])).toEqual([
      [users[0], false],
      [users[1], true],
      [users[2], false],
    ]);
    expect(all.total).toBe(3);
    const locked = await accounts.list({ text: 'list-', locked: true });
    expect(locked.accounts.map(({ user }) => user)).toEqual([users[1]]);
    expect(locked).toMatchObject({ total: 1, next: undefined });
    const open = await accounts.list({ text: 'list-', locked: false });
    expect(open.accounts.map(({ user }) => user)).toEqual([users[0], users[2]]);
  });

  test('pages by name without gap or repetition', async () => {
    for (const letter of 'abcde') await world.newUser(`page-${letter}`);
    const seen: string[] = [];
    let from: number | undefined = 0;
    while (from !== undefined) {
      const page: Awaited<ReturnType<Accounts['list']>> = await accounts.list({ text: 'page-', from, limit: 2 });
      expect(page.total).toBe(5);
      seen.push(...page.accounts.map(({ user }) => user));
      from = page.next;
    }
    expect(seen).toEqual([...'abcde'].map((letter) => `@page-${letter}:${accounts.serverName}`));
  });

  test('pages through the locked ones', async () => {
    for (const letter of 'abc') await accounts.setLocked(await world.newUser(`jail-${letter}`), true);
    const first = await accounts.list({ text: 'jail-', locked: true, limit: 2 });
    expect(first).toMatchObject({ total: 3, next: 2 });
    const second = await accounts.list({ text: 'jail-', locked: true, limit: 2, from: 2 });
    expect([...first.accounts, ...second.accounts].map(({ user }) => user)).toEqual(
      [...'abc'].map((letter) => `@jail-${letter}:${accounts.serverName}`),
    );
    expect(second.next).toBeUndefined();
  });

  test('finds by a whole id, by part of it, and tells admins', async () => {
    const user = await world.newUser('needle');
    for (const text of [user, 'needle', 'EEDL']) {
      expect((await accounts.list({ text })).accounts.map((account) => account.user)).toContain(user);
    }
    const admins = await accounts.list({ admins: true });
    expect(admins.accounts.map((account) => account.user)).toEqual([accounts.adminUser]);
    expect((await accounts.list({ admins: false, text: 'needle' })).total).toBe(1);
  });

  test('deletes devices; unknown ones and none are fine', async () => {
    const user = await world.newUser('devices');
    expect(await accounts.devices(user)).toEqual([]);
    await world.login(user);
    await world.login(user);
    const ids = (await accounts.devices(user)).map((device) => device.id);
    expect(ids).toHaveLength(2);
    await accounts.deleteDevices(user, []);
    await accounts.deleteDevices(user, [ids[0] ?? '', 'UNKNOWN']);
    expect((await accounts.devices(user)).map((device) => device.id)).toEqual([ids[1]]);
  });

  test('a new password ends the sessions and the old one', async () => {
    const user = await world.newUser('password');
    await world.login(user);
    await accounts.setPassword(user, 'another-long-password');
    expect(await accounts.devices(user)).toEqual([]);
    expect(await world.login(user, firstPassword)).toBe(false);
    expect(await world.login(user, 'another-long-password')).toBe(true);
  });

  test('locks, unlocks, suspends and unsuspends, each repeatable and independent', async () => {
    const user = await world.newUser('flags');
    for (const locked of [true, true, false, false]) {
      await accounts.setLocked(user, locked);
      expect(await accounts.get(user)).toMatchObject({ locked, suspended: false });
    }
    for (const suspended of [true, true, false, false]) {
      await accounts.setSuspended(user, suspended);
      expect(await accounts.get(user)).toMatchObject({ locked: false, suspended });
    }
    await accounts.setLocked(user, true);
    expect(await world.login(user)).toBe(false);
  });

  test('sets and lifts the rate limit', async () => {
    const user = await world.newUser('limited');
    expect(await accounts.rateLimit(user)).toBeUndefined();
    await accounts.setRateLimit(user, { messagesPerSecond: 0, burstCount: 0 });
    expect(await accounts.rateLimit(user)).toEqual({ messagesPerSecond: 0, burstCount: 0 });
    await accounts.setRateLimit(user, undefined);
    expect(await accounts.rateLimit(user)).toBeUndefined();
  });

  test('a puppet leaves joined rooms and invites, while suspended too, and twice is fine', async () => {
    const [owner, user] = [await world.newUser('owner'), await world.newUser('leaver')];
    const joined = await world.newRoom({ creator: owner, joined: [user] });
    const invited = await world.newRoom({ creator: owner, invited: [user] });
    const own = await world.newRoom({ creator: user, joined: [owner] });
    const foreign = await world.newRoom({ creator: owner });
    const kicked = await world.newRoom({ creator: owner, joined: [user] });
    await world.kick(owner, kicked, user);
    await accounts.setSuspended(user, true);
    const puppet = await accounts.actAs(user, validForMs);
    for (const room of [joined, invited, own, foreign, kicked, joined, invited, own])
      await puppet.leave(room, 'disabled');
    const memberships = await accounts.memberships(user);
    for (const room of [joined, invited, own, kicked]) expect(memberships.get(room)).toBe('leave');
    expect(memberships.get(foreign)).toBeUndefined();
    await puppet.logout();
  });

  test('memberships tell joined and invited apart', async () => {
    const [owner, user] = [await world.newUser('host'), await world.newUser('guest')];
    const joined = await world.newRoom({ creator: owner, joined: [user] });
    const invited = await world.newRoom({ creator: owner, invited: [user] });
    expect(Object.fromEntries(await accounts.memberships(user))).toEqual({ [joined]: 'join', [invited]: 'invite' });
  });

  test('puppets invite and join, twice is fine', async () => {
    const [owner, user] = [await world.newUser('inviter'), await world.newUser('returner')];
    const room = await world.newRoom({ creator: owner });
    const [host, guest] = [await accounts.actAs(owner, validForMs), await accounts.actAs(user, validForMs)];
    await expect(guest.join(room)).rejects.toMatchObject({ kind: 'denied', effect: 'none' });
    await host.invite(room, user);
    await host.invite(room, user);
    await guest.join(room);
    await guest.join(room);
    await host.invite(room, user);
    expect((await accounts.memberships(user)).get(room)).toBe('join');
  });

  test('a puppet is of no use after its logout, and logging out twice is fine', async () => {
    const user = await world.newUser('ended');
    const room = await world.newRoom({ creator: user });
    const puppet = await accounts.actAs(user, validForMs);
    await puppet.logout();
    await puppet.logout();
    await expect(puppet.leave(room, 'late')).rejects.toMatchObject({ kind: 'conflict', effect: 'none' });
    expect((await accounts.memberships(user)).get(room)).toBe('join');
  });

  test('leaving comes before the lock: a locked account cannot be acted for', async () => {
    const user = await world.newUser('locked');
    const [before, after] = [await world.newRoom({ creator: user }), await world.newRoom({ creator: user })];
    const puppet = await accounts.actAs(user, validForMs);
    await puppet.leave(before, 'disabled');
    await accounts.setLocked(user, true);
    await expect(puppet.leave(after, 'disabled')).rejects.toMatchObject({ kind: 'conflict', effect: 'none' });
    await expect(accounts.actAs(user, validForMs)).rejects.toMatchObject({ kind: 'conflict', effect: 'none' });
    await puppet.logout();
    const memberships = await accounts.memberships(user);
    // A room that its last member left is forgotten.
    expect([memberships.get(before) ?? 'leave', memberships.get(after)]).toEqual(['leave', 'join']);
  });

  test('the admin account puts people into public rooms, not into private ones it is not in', async () => {
    const [owner, user] = [await world.newUser('keeper'), await world.newUser('joiner')];
    const open = await world.newRoom({ creator: owner, public: true });
    const closed = await world.newRoom({ creator: owner });
    const inside = await world.newRoom({ creator: owner, joined: [user] });
    await accounts.joinByAdmin(open, user);
    await accounts.joinByAdmin(open, user);
    await accounts.joinByAdmin(inside, user);
    await expect(accounts.joinByAdmin(closed, user)).rejects.toMatchObject({ kind: 'denied', effect: 'none' });
    expect((await accounts.memberships(user)).get(open)).toBe('join');
    await expect(accounts.joinByAdmin(open, typo())).rejects.toMatchObject({ kind: 'notFound' });
  });

  test('deactivates once, erases later, and the account is out of its rooms', async () => {
    const user = await world.newUser('gone');
    const room = await world.newRoom({ creator: user, public: true });
    await accounts.deactivate(user, false);
    await accounts.deactivate(user, false);
    expect(await accounts.get(user)).toMatchObject({ deactivated: true, erased: false });
    await accounts.deactivate(user, true);
    expect(await accounts.get(user)).toMatchObject({ deactivated: true, erased: true });
    expect(await accounts.devices(user)).toEqual([]);
    expect(await world.login(user)).toBe(false);
    await expect
      .poll(async () => (await accounts.memberships(user)).get(room) ?? 'leave', { timeout: 10_000 })
      .toBe('leave');
    const only = await accounts.list({ deactivated: true });
    expect(only.accounts.map((account) => account.user)).toEqual([user]);
    expect((await accounts.list({ deactivated: false, text: 'gone' })).total).toBe(0);
    expect((await accounts.list({ text: 'gone' })).total).toBe(1);
  });
});
