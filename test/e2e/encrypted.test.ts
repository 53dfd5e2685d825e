import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { call, register } from '#sandbox/synapse-client.ts';
import type { Said } from '#test/fixtures/heard.ts';
import { makeNewcomers, type Newcomer } from '#test/fixtures/newcomers.ts';
import { openFile } from '#test/fixtures/sealed-file.ts';
import { account, inTheClear, whoami } from '#test/fixtures/server-state.ts';
import { installMs, OpsRoom } from '#test/ops-room.ts';

// The ops room as Element makes it: encrypted, of version 12. The people speak through matrix-js-sdk with its own crypto.
let world: OpsRoom;
let zebulon: Newcomer;
let quillan: Newcomer;
let ottoline: Newcomer;
beforeAll(async () => {
  world = await OpsRoom.open({ parts: ['synapse', 'livekit'], encrypted: {} });
  await world.stack.livekit;
  [zebulon, quillan, ottoline] = (await makeNewcomers(world, ['zebulon', 'quillan', 'ottoline'])) as [
    Newcomer,
    Newcomer,
    Newcomer,
  ];
  await world.startBot();
}, installMs);
afterAll(() => world?.[Symbol.asyncDispose]());

const fromBot = (): Said[] => world.room.events.filter(({ sender }) => sender === world.bot);

describe('a change in an encrypted room', () => {
  test('is asked about, confirmed by ✅ and done', async () => {
    const { command, prompt } = await world.request('alice', '!disable zebulon quartz smuggling');
    expect(prompt).toMatchObject({ sealed: { shield: 'NONE' }, root: command });
    await world.react('alice', prompt.id, '✅');
    expect(await world.end(command)).toMatchObject({ mark: { outcome: 'done', command: 'disable' } });
    expect(await account(world, zebulon.userId)).toEqual({ locked: true, suspended: true, deactivated: false });
    expect(await whoami(world.url, zebulon.token)).toBe(401);
  });

  test('is confirmed in words, and told to the other devices of the room', async () => {
    const { command, prompt } = await world.request('bob', '!disable quillan quartz smuggling');
    const code = prompt.mark?.code ?? '';
    expect(code).toMatch(/^[0-9a-f]{4}$/);
    await world.say('bob', `!approve ${code}`);
    const end = await world.end(command);
    expect(end.mark?.outcome).toBe('done');
    expect(await whoami(world.url, quillan.token)).toBe(401);
    const bobs = world.sealed.peer('bob').in(world.sealed.room);
    expect((await bobs.waitFor(({ id }) => id === end.id, { what: 'the end, by bob' })).body).toBe(end.body);
  });
});

test('a second person’s ✅ could be forged by the homeserver: it is no yes, a ❌ is a no', async () => {
  const { command, prompt } = await world.request('alice', '!deactivate ottoline');
  const code = prompt.mark?.code ?? '';
  expect(prompt.body).toMatch(new RegExp(`A second person has to answer.*: type !approve ${code} or !deny ${code}`));
  await world.react('bob', prompt.id, '✅');
  const said = await world.room.waitFor(
    ({ sender, root, body }) => sender === world.bot && root === command && body.includes('a reaction is no yes'),
    { what: 'that a reaction is no yes' },
  );
  expect(said.body).toContain(`Type: !approve ${code}`);
  await world.react('bob', prompt.id, '❌');
  expect(await world.end(command)).toMatchObject({ mark: { outcome: 'refused', command: 'deactivate' } });
  expect(await account(world, ottoline.userId)).toMatchObject({ deactivated: false });
});

test('what is too long for a message comes as an encrypted file', async () => {
  const { url, registrationSharedSecret: secret } = world.stack.synapse;
  const wordy = Array.from({ length: 25 }, (_, n) => ({
    username: `wordy${n}`,
    displayname: `${n} ${'€'.repeat(240)}`,
  }));
  for (const person of wordy) await register(url, secret, { ...person, password: 'wordy-secret' });
  const command = await world.say('alice', '!users wordy');
  await world.answer(command);
  const said = await world.room.waitFor(({ root, msgtype }) => root === command && msgtype === 'm.file', {
    what: 'the file',
  });
  const { token } = world.sealed.peer('alice');
  expect((await openFile(url, token, said)).toString('utf8')).toContain('wordy24');
  // What lies on the homeserver is no text of ours.
  const raw = await fetch(`${url}/_matrix/client/v1/media/download/${(said.file ?? '').slice('mxc://'.length)}`, {
    headers: { authorization: `Bearer ${token}` },
  });
  expect(Buffer.from(await raw.arrayBuffer()).includes('wordy')).toBe(false);
});

test('an alert pages in an encrypted message; 👍 acknowledges, and the alert’s message is edited in place', async () => {
  const hook = new URL('/hooks/alert', world.files.webhookUrl);
  const posted = await fetch(hook, {
    method: 'POST',
    headers: { authorization: `Bearer ${world.files.webhookSecret}`, 'content-type': 'application/json' },
    body: JSON.stringify({ key: 'drill', title: 'Fire drill', text: 'The stairs are hot.', severity: 'critical' }),
  });
  expect(posted.status).toBe(200);
  const says = (kind: string) => (said: Said) => said.mark?.kind === kind && said.body.includes('Fire drill');
  const shown = await world.room.waitFor(says('notice'), { what: 'the alert' });
  const page = await world.room.waitFor(says('page'), { what: 'the page' });
  expect([page.msgtype, page.mentions.length, page.sealed?.shield]).toEqual(['m.text', 1, 'NONE']);
  await world.react('alice', page.id, '👍');
  const edit = await world.room.waitFor(({ edits, body }) => edits === shown.id && body.includes('👍 @alice'), {
    what: 'the acknowledgement',
  });
  expect(edit.sealed?.shield).toBe('NONE');
});

test('a device that its owner has not signed is told what to do, and nothing happens', async () => {
  const phone = await world.sealed.unsigned('alice', 'phone');
  const command = await phone.say(world.sealed.room, '!disable ottoline quartz smuggling');
  const refusal = await world.answer(command);
  expect(refusal.mark).toMatchObject({ kind: 'reply', outcome: 'refused' });
  expect(refusal.body).toMatch(/verif/i);
  expect(await account(world, ottoline.userId)).toEqual({ locked: false, suspended: false, deactivated: false });
  // The typed yes to a question is a command like others.
  const { prompt, command: own } = await world.request('alice', '!disable ottoline quartz smuggling');
  const yes = await phone.say(world.sealed.room, `!approve ${prompt.mark?.code}`);
  expect((await world.answer(yes)).mark?.outcome).toBe('refused');
  expect(await account(world, ottoline.userId)).toMatchObject({ locked: false });
  await world.react('alice', prompt.id, '❌');
  await world.end(own);
  // As soon as it is signed its word counts.
  await world.sealed.peer('alice').ask('sign', { deviceId: phone.deviceId });
  await world.sealed.peer('bob').knows(phone.userId, phone.deviceId, { signed: true });
  expect((await world.answer(await phone.say(world.sealed.room, '!ping'))).body).toContain('pong');
  await phone.ask('logout', null);
});

describe('who gets the keys', () => {
  test('a new device of a member once it is signed, and no more when it is logged out', async () => {
    const tablet = await world.sealed.unsigned('bob', 'tablet');
    const ears = tablet.in(world.sealed.room);
    await world.sealed.peer('alice').knows(tablet.userId, tablet.deviceId, { signed: false });
    const kept = await world.ask('alice', '!ping');
    const withheld = await ears.waitFor(({ id }) => id === kept.id, { what: 'a message without its key' });
    expect(withheld.sealed?.failure).toMatch(/WITHHELD|UNKNOWN_INBOUND/);
    await world.sealed.peer('bob').ask('sign', { deviceId: tablet.deviceId });
    await world.sealed.peer('alice').knows(tablet.userId, tablet.deviceId, { signed: true });
    const shared = await world.ask('alice', '!ping');
    expect(
      (await ears.waitFor(({ id, sealed }) => id === shared.id && !sealed?.failure, { what: 'the key' })).body,
    ).toBe(shared.body);
    await tablet.ask('logout', null);
    await expect
      .poll(async () => (await world.sealed.peer('alice').ask('devices', { user: tablet.userId })).length)
      .toBe(1);
    const after = await world.ask('alice', '!ping');
    expect([after.sealed?.session === shared.sealed?.session, after.sealed?.index]).toEqual([false, 0]);
  });

  test('not one who was removed: the next message is in a new session', async () => {
    const carol = await world.sealed.peers.open(world.person('carol'), 'desk');
    await carol.ask('bootstrap', { reset: false });
    const [alice, room] = [world.sealed.peer('alice'), world.sealed.room];
    await alice.ask('invite', { room, user: carol.userId });
    await carol.ask('enter', { room, encrypted: true });
    await alice.knows(carol.userId, carol.deviceId, { signed: true });
    const before = await world.answer(await carol.say(room, '!ping'));
    await carol.in(room).waitFor(({ id, sealed }) => id === before.id && !sealed?.failure, { what: 'the answer' });
    await alice.ask('kick', { room, user: carol.userId });
    const after = await world.ask('alice', '!ping');
    expect([after.sealed?.session === before.sealed?.session, after.sealed?.index]).toEqual([false, 0]);
  });
});

test('nothing of all this stands in the clear in the homeserver’s database', async () => {
  const words = ['disable', 'zebulon', 'quillan', 'quartz', 'approve', 'wordy', 'drill', '"org.opsroom":', '"body"'];
  expect(await inTheClear(world.stack, world.sealed.room, words)).toEqual([]);
  expect(fromBot().filter(({ type }) => type === 'm.room.message').length).toBeGreaterThan(4);
  expect(fromBot().filter(({ type, sealed }) => type === 'm.room.message' && sealed === undefined)).toEqual([]);
  expect(fromBot().filter(({ sealed }) => sealed?.failure !== undefined)).toEqual([]);
});

test('a command in the clear is refused', async () => {
  const { token, userId } = world.person('alice');
  const path = `/_matrix/client/v3/rooms/${encodeURIComponent(world.sealed.room)}/send/m.room.message/clear1`;
  const content = { msgtype: 'm.text', body: '!disable ottoline quartz smuggling', 'm.mentions': {} };
  const { event_id: command } = await call<{ event_id: string }>(world.url, 'PUT', path, token, content);
  const refusal = await world.answer(command);
  expect(refusal).toMatchObject({ mark: { outcome: 'refused' }, sealed: { shield: 'NONE' } });
  expect(refusal.body).toMatch(/encrypt/i);
  expect(userId).toBe('@alice:opsroom.test');
  expect(await account(world, ottoline.userId)).toMatchObject({ locked: false });
});

// Last: bob has another identity after it.
test('a person whose identity was made anew is not believed until somebody says that it is theirs', async () => {
  await world.sealed.peer('bob').ask('bootstrap', { reset: true });
  await expect
    .poll(async () => (await world.ask('bob', '!ping')).mark?.outcome, { timeout: 60_000, interval: 1000 })
    .toBe('refused');
  expect((await world.ask('bob', '!whoami')).body).toMatch(/identity|verif/i);
});
