import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { UserId } from '#domain/accounts.ts';
import { callIdentity } from '#domain/calls.ts';
import { startCall, type Call } from '#sandbox/call.ts';
import { account, application, insideRooms, participants, whoami, wholeState } from '#test/fixtures/server-state.ts';
import { signal } from '#test/contract/call-world.ts';
import { installMs, OpsRoom } from '#test/ops-room.ts';

// Disable is the product's main promise: gone from chat and calls at once, kept gone, and brought back.
const mallory = '@mallory:opsroom.test' as UserId;
// After the yes: tokens dead, out of the call, and each time out of it again. The figures are printed.
const promisedMs = { token: 1000, call: 2000, ejection: 1000 };
// A machine that builds something else beside the tests stands still for a moment now and then.
const hiccup = 3;
let world: OpsRoom;
let talk: Call;
let identity: string;
const hashed = callIdentity(mallory, { device: 'TABLET', member: 'tab-1' });
beforeAll(async () => {
  // Two owners: making somebody an admin takes both.
  const people = [
    { user: '@alice:opsroom.test', role: 'owner' },
    { user: '@bob:opsroom.test', role: 'admin' },
    { user: '@carol:opsroom.test', role: 'owner' },
  ];
  world = await OpsRoom.open({ parts: ['synapse', 'livekit'], settings: { people } });
  talk = await startCall(await world.stack.livekit, world.seeded.call.roomId, world.seeded.call.identities);
  identity = world.seeded.call.identities.find((each) => each.startsWith(mallory))!;
}, installMs);
afterAll(async () => {
  await talk?.[Symbol.asyncDispose]();
  await world?.[Symbol.asyncDispose]();
});

/** Milliseconds from `fromMs` until it holds. */
async function until(fromMs: number, holds: () => Promise<boolean>, withinMs = 20_000): Promise<number> {
  while (!(await holds())) {
    if (performance.now() - fromMs > withinMs) return Infinity;
    await pause(10);
  }
  return performance.now() - fromMs;
}

describe('without a yes nothing changes', () => {
  test('while the question stands, and after its end by time', async () => {
    await world.startBot({ approvals: { caller: '6s', twoPerson: '6s' } });
    // The bot makes its own rooms when it starts.
    await world.ask('alice', '!check sync-latency');
    const before = await wholeState(world, talk.roomName);
    expect(before.filter((row) => row.includes(mallory)).length).toBeGreaterThan(15);
    const { command, prompt } = await world.request('alice', '!disable mallory posting spam');
    expect(prompt.body).toMatch(/out of 10 rooms[^]*in 1 now[^]*1 room with nobody else/);
    await pause(3000);
    expect(await wholeState(world, talk.roomName)).toEqual(before);
    expect(await world.end(command)).toMatchObject({ mark: { outcome: 'refused' } });
    // Too late a yes is none.
    await world.react('alice', prompt.id, '✅');
    await world.ask('alice', '!ping');
    await pause(1000);
    expect(await wholeState(world, talk.roomName)).toEqual(before);
  });

  test('after a no, a stranger’s yes, and a command that was taken back', async () => {
    await world.startBot();
    await world.ask('alice', '!check sync-latency');
    const before = await wholeState(world, talk.roomName);
    const denied = await world.request('alice', '!disable mallory posting spam');
    // Only who asked may answer.
    await world.react('carol', denied.prompt.id, '✅');
    await world.react('alice', denied.prompt.id, '❌');
    expect(await world.end(denied.command)).toBeDefined();
    await world.room.waitFor((said) => said.root === denied.command && said.body.includes('said no'), {
      what: 'the no',
    });
    const withdrawn = await world.request('alice', '!disable mallory posting spam');
    await world.send('alice', 'm.room.message', {
      msgtype: 'm.text',
      body: '* never mind',
      'm.new_content': { msgtype: 'm.text', body: 'never mind' },
      'm.relates_to': { rel_type: 'm.replace', event_id: withdrawn.command },
    });
    expect((await world.end(withdrawn.command)).mark?.outcome).toBe('refused');
    expect((await world.ask('alice', '!disable --dry-run mallory posting spam')).mark?.outcome).toBe('done');
    await pause(1000);
    expect(await wholeState(world, talk.roomName)).toEqual(before);
  });
});

describe('after the yes', () => {
  let rooms: string[];
  const measured: Record<string, number> = {};

  test('the person is out of chat and calls at once', async () => {
    rooms = await insideRooms(world, mallory);
    const directs = world.seeded.directs['mallory'] ?? [];
    expect([rooms.length >= 8, directs.length >= 2, directs.every((direct) => rooms.includes(direct))]).toEqual([
      true,
      true,
      true,
    ]);
    expect(await participants(world, talk.roomName)).toContain(identity);
    // A second client of theirs, of the kind that joins under a hash.
    const room = encodeURIComponent(directs[0] ?? '');
    const path = `/_matrix/client/v3/rooms/${room}/state/org.matrix.msc3401.call.member/_${mallory}_TABLET_m.call`;
    await world.api('mallory', 'PUT', path, { device_id: 'TABLET', membershipID: 'tab-1', application: 'm.call' });
    await talk.join(hashed);
    expect(await participants(world, talk.roomName)).toContain(hashed);
    const { command, prompt } = await world.request('alice', '!disable mallory posting spam');
    await world.react('alice', prompt.id, '✅');
    const confirmedMs = performance.now();
    const isDead = (token: string) => async (): Promise<boolean> => (await whoami(world.url, token)) === 401;
    const [desktop, phone, call] = await Promise.all([
      until(confirmedMs, isDead(world.person('mallory').token)),
      until(confirmedMs, isDead(world.seeded.malloryPhone.token)),
      until(confirmedMs, async () => !(await participants(world, talk.roomName)).includes(identity)),
    ]);
    const result = await world.end(command);
    measured['whole run'] = result.seenMs - confirmedMs;
    Object.assign(measured, { desktop, phone, call });
    expect(Math.max(desktop, phone)).toBeLessThan(promisedMs.token * hiccup);
    expect(call).toBeLessThan(promisedMs.call * hiccup);
    expect(result.mark).toMatchObject({ outcome: 'done', command: 'disable' });
    expect(await participants(world, talk.roomName)).not.toContain(hashed);
    expect(await insideRooms(world, mallory)).toEqual([world.seeded.soleRoomId]);
    expect(result.body).toContain(world.seeded.soleRoomId);
  });

  test('each of ten rejoins with the token that is still valid is ejected within a second', async () => {
    const { url } = world.stack.addresses.livekit;
    const tablet = await signal(url, talk.tokenOf(hashed));
    const isOutHashed = async (): Promise<boolean> => !(await participants(world, talk.roomName)).includes(hashed);
    expect(await until(performance.now(), isOutHashed)).toBeLessThan(promisedMs.ejection * hiccup);
    tablet.close();
    const isOut = async (): Promise<boolean> => !(await participants(world, talk.roomName)).includes(identity);
    // As a whole client, which tries for seconds.
    await talk.join(identity).catch(() => undefined);
    await until(performance.now(), isOut);
    const ejections: number[] = [];
    for (let attempt = 0; attempt < 10; attempt += 1) {
      // As LiveKit sees a client that has no media yet: it has joined once this resolves.
      const socket = await signal(url, talk.tokenOf(identity));
      const insideMs = performance.now();
      const closed = new Promise<number>((resolve) => {
        if (socket.readyState === WebSocket.CLOSED) resolve(performance.now());
        else socket.addEventListener('close', () => resolve(performance.now()), { once: true });
      });
      ejections.push(await until(insideMs, isOut));
      expect((await closed) - insideMs).toBeLessThan(promisedMs.ejection * hiccup);
    }
    measured['slowest ejection'] = Math.max(...ejections);
    console.log('disable, ms after the yes:', measured);
    // Of ten the usual one is what is promised; a hiccup of the machine may lengthen one of them.
    expect(ejections.toSorted((a, b) => a - b)[ejections.length / 2]).toBeLessThan(promisedMs.ejection);
    expect(Math.max(...ejections)).toBeLessThan(promisedMs.ejection * hiccup);
    await pause(2000);
    expect(await participants(world, talk.roomName)).not.toContain(identity);
  });

  test('nothing is left, anywhere', async () => {
    expect(await account(world, mallory)).toEqual({ locked: true, suspended: true, deactivated: false });
    const devices = await world.api<{ total: number }>('admin', 'GET', `/_synapse/admin/v2/users/${mallory}/devices`);
    expect(devices.total).toBe(0);
    expect(await application(world, 'usr_mallory')).toEqual({ status: 'SUSPENDED', projects: [], credentials: 0 });
    const login = {
      type: 'm.login.password',
      identifier: { type: 'm.id.user', user: 'mallory' },
      password: world.person('mallory').password,
    };
    await expect(world.api('alice', 'POST', '/_matrix/client/v3/login', login)).rejects.toThrow(/refused/);
  });

  test('enable makes the account usable, in onboarding, with a one-time password in a file', async () => {
    const result = await world.order('alice', '!enable mallory');
    expect(result.mark).toMatchObject({ outcome: 'done' });
    const path = /one-time password.* in (\S+)/.exec(result.body)?.[1] ?? '';
    const password = (await readFile(path, 'utf8')).split('\n')[1] ?? '';
    expect(result.body).not.toContain(password);
    expect(await account(world, mallory)).toEqual({ locked: false, suspended: false, deactivated: false });
    expect(await application(world, 'usr_mallory')).toMatchObject({ status: 'ONBOARDING', projects: [] });
    const login = { type: 'm.login.password', identifier: { type: 'm.id.user', user: 'mallory' }, password };
    const session = await world.api<{ access_token: string }>('alice', 'POST', '/_matrix/client/v3/login', login);
    expect(await whoami(world.url, session.access_token)).toBe(200);
    expect(await insideRooms(world, mallory)).toEqual([world.seeded.soleRoomId]);
    // The ban from calls is lifted: who joins now stays.
    await talk.join(identity);
    await pause(2000);
    expect(await participants(world, talk.roomName)).toContain(identity);
    await talk.leave(identity);
  });

  test('enable --return puts them back into rooms and projects', async () => {
    const result = await world.order('alice', '!enable --return mallory');
    expect(result.mark).toMatchObject({ outcome: 'done' });
    expect(await insideRooms(world, mallory)).toEqual(rooms);
    expect((await application(world, 'usr_mallory')).projects).toEqual(['prj_atlas', 'prj_borealis', 'prj_cumulus']);
  });
});

describe('two people', () => {
  test('disabling a server administrator takes another admin', async () => {
    const ingrid = world.person('ingrid');
    const { command, prompt } = await world.request('alice', '!disable ingrid leaving the company');
    await world.react('alice', prompt.id, '✅');
    await world.room.waitFor(
      (said) => said.root === command && said.mark?.kind === 'reply' && said.body.includes('second person'),
      {
        what: 'that the caller cannot approve',
      },
    );
    expect(await whoami(world.url, ingrid.token)).toBe(200);
    await world.react('bob', prompt.id, '✅');
    const done = await world.room.waitFor((said) => said.root === command && said.mark?.outcome === 'done', {
      what: 'done',
    });
    expect(done.body).toContain('is disabled');
    expect(await whoami(world.url, ingrid.token)).toBe(401);
  });

  test('deactivate takes a second person, and changes nothing before', async () => {
    const before = await wholeState(world, talk.roomName);
    const { command, prompt } = await world.request('alice', '!deactivate oscar');
    await world.react('alice', prompt.id, '✅');
    await world.room.waitFor((said) => said.root === command && said.body.includes('second person'), {
      what: 'a refusal',
    });
    expect(await wholeState(world, talk.roomName)).toEqual(before);
    const approved = await world.say('bob', `!approve ${prompt.mark?.code ?? ''}`);
    expect((await world.answer(approved)).mark?.outcome).toBe('done');
    await world.room.waitFor((said) => said.root === command && said.mark?.outcome === 'done', { what: 'done' });
    expect(await account(world, '@oscar:opsroom.test')).toEqual({ locked: true, suspended: false, deactivated: true });
    expect(await insideRooms(world, '@oscar:opsroom.test')).toEqual([]);
    expect(await whoami(world.url, world.person('oscar').token)).toBe(401);
  });

  test('a role is given by an owner, one from admin up by two', async () => {
    expect((await world.order('alice', '!people add dana operator')).mark).toMatchObject({ outcome: 'done' });
    expect((await world.ask('alice', '!people')).body).toMatch(/@dana:opsroom\.test.*operator/);
    const { command, prompt } = await world.request('alice', '!people add dana admin');
    await world.react('alice', prompt.id, '✅');
    await world.room.waitFor((said) => said.root === command && said.body.includes('second person'), {
      what: 'a refusal',
    });
    expect((await world.ask('alice', '!people')).body).toMatch(/@dana:opsroom\.test.*operator/);
    await world.react('carol', prompt.id, '✅');
    await world.room.waitFor((said) => said.root === command && said.mark?.outcome === 'done', { what: 'done' });
    expect((await world.ask('alice', '!people')).body).toMatch(/@dana:opsroom\.test.*admin/);
  });
});
