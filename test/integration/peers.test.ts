import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { register } from '#sandbox/synapse-client.ts';
import { openStack, type Stack } from '#sandbox/stack.ts';
import { encryptedRoom } from '#test/fixtures/encrypted-room.ts';
import type { Heard, Said } from '#test/fixtures/heard.ts';
import { type Peer, Peers } from '#test/fixtures/peer.ts';
import { inTheClear } from '#test/fixtures/server-state.ts';
import { installMs } from '#test/ops-room.ts';

// The people's side by itself, on a real Synapse: what the tests of the bot's encryption stand on.
let closing: AsyncDisposableStack;
let stack: Stack;
let peers: Peers;
let alice: Peer;
let bob: Peer;
let room: string;
let ears: Heard;
const account = (name: string): { userId: string; password: string } => ({
  userId: `@${name}:${stack.serverName}`,
  password: `${name}-secret`,
});

beforeAll(async () => {
  closing = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), 'opsroom-peers-'));
  closing.defer(() => rm(dir, { recursive: true, force: true }));
  stack = closing.use(await openStack({ dir, log: () => undefined, parts: ['synapse'], rateLimits: 'lifted' }));
  for (const username of ['alice', 'bob', 'carol']) {
    const { password } = account(username);
    await register(stack.synapse.url, stack.synapse.registrationSharedSecret, { username, password });
  }
  peers = closing.use(new Peers({ baseUrl: stack.synapse.url, logFile: join(dir, 'logs', 'peers.log') }));
  [alice, bob] = await Promise.all([peers.open(account('alice'), 'desk'), peers.open(account('bob'), 'desk')]);
  await Promise.all([alice, bob].map((peer) => peer.ask('bootstrap', { reset: false })));
  room = await encryptedRoom(alice, { invite: [bob.userId] });
  await bob.ask('enter', { room, encrypted: true });
  await alice.knows(bob.userId, bob.deviceId, { signed: true });
  ears = bob.in(room);
}, installMs);
afterAll(() => closing?.disposeAsync());

const read = (id: string, by: Heard = ears): Promise<Said> =>
  by.waitFor((said) => said.id === id && said.sealed?.failure === undefined, { what: `${id} read` });

test('a room of version 12: what one says encrypted the other reads, without a shield', async () => {
  const said = await read(await alice.say(room, 'good morning'));
  expect(said).toMatchObject({ body: 'good morning', sealed: { shield: 'NONE' } });
  const answer = await read(await bob.say(room, 'to you too'), alice.in(room));
  expect(answer).toMatchObject({ body: 'to you too', sealed: { shield: 'NONE' } });
  const create = await stack.sql('synapse', [`SELECT room_version FROM rooms WHERE room_id = '${room}';`]);
  expect(create.trim()).toBe('12');
});

test('threads, replies, edits and reactions arrive as such', async () => {
  const root = await alice.say(room, 'the root');
  const text = (body: string): Record<string, unknown> => ({ msgtype: 'm.text', body });
  const inThread = await alice.send(room, 'm.room.message', {
    ...text('in the thread'),
    'm.relates_to': { rel_type: 'm.thread', event_id: root },
  });
  const edit = await alice.send(room, 'm.room.message', {
    ...text('* in the thread, mended'),
    'm.new_content': text('in the thread, mended'),
    'm.relates_to': { rel_type: 'm.replace', event_id: inThread },
  });
  const reply = await alice.send(room, 'm.room.message', {
    ...text('a reply'),
    'm.relates_to': { 'm.in_reply_to': { event_id: root } },
  });
  const reaction = await alice.send(room, 'm.reaction', {
    'm.relates_to': { rel_type: 'm.annotation', event_id: root, key: '✅' },
  });
  expect(await read(inThread)).toMatchObject({ root, body: 'in the thread' });
  expect(await read(edit)).toMatchObject({ root, edits: inThread, body: 'in the thread, mended' });
  expect((await read(reply)).content['m.relates_to']).toEqual({ 'm.in_reply_to': { event_id: root } });
  expect(await read(reaction)).toMatchObject({ reaction: { on: root, emoji: '✅' }, sealed: undefined });
});

test('nothing that was said stands in the clear in the database, and what does is found', async () => {
  const words = ['good morning', 'mended', 'in the thread'];
  expect(await inTheClear(stack, room, words)).toEqual([]);
  await expect(alice.ask('send', { room: '!elsewhere', type: 'm.room.message', content: {} })).rejects.toThrow(
    /does not know/,
  );
  const clear = await encryptedRoom(alice, { invite: [], encrypted: false });
  await alice.ask('enter', { room: clear, encrypted: false });
  const content = { msgtype: 'm.text', body: 'good morning' };
  await alice.ask('send', { room: clear, type: 'm.room.message', content, clear: true });
  expect(await inTheClear(stack, clear, words)).toEqual(['m.room.message', 'good morning']);
});

test('a device that its owner has not signed is seen as such, until it is signed', async () => {
  const phone = await peers.open(account('alice'), 'phone');
  await phone.ask('enter', { room, encrypted: true });
  await bob.knows(alice.userId, phone.deviceId, { signed: false });
  expect((await read(await phone.say(room, 'from the phone'))).sealed?.shield).toBe('RED UNSIGNED_DEVICE');
  await alice.ask('sign', { deviceId: phone.deviceId });
  await bob.knows(alice.userId, phone.deviceId, { signed: true });
  expect((await read(await phone.say(room, 'signed now'))).sealed?.shield).toBe('NONE');
  // Logged out: the next message is in a session that this device never gets.
  const before = await read(await bob.say(room, 'to all three'), alice.in(room));
  await phone.ask('logout', null);
  await expect
    .poll(async () => (await bob.ask('devices', { user: alice.userId })).map(({ id }) => id))
    .toEqual([alice.deviceId]);
  const after = await read(await bob.say(room, 'to the two'), alice.in(room));
  expect(after.sealed?.session).not.toBe(before.sealed?.session);
});

test('who is kicked reads nothing more: the next message is in a new session', async () => {
  const carol = await peers.open(account('carol'), 'desk');
  await carol.ask('bootstrap', { reset: false });
  await alice.ask('invite', { room, user: carol.userId });
  await carol.ask('enter', { room, encrypted: true });
  await alice.knows(carol.userId, carol.deviceId);
  const before = await read(await alice.say(room, 'carol is here'));
  expect((await read(before.id, carol.in(room))).body).toBe('carol is here');
  await alice.ask('kick', { room, user: carol.userId });
  const after = await read(await alice.say(room, 'carol is gone'));
  expect([after.sealed?.session === before.sealed?.session, after.sealed?.index]).toEqual([false, 0]);
  expect(carol.in(room).events.some(({ body }) => body === 'carol is gone')).toBe(false);
});

test('who never sends to the unverified withholds the key, and says so', async () => {
  await alice.ask('newSession', { room });
  await alice.ask('sendOnlyTo', { whom: 'verified' });
  const withheld = await alice.say(room, 'for nobody');
  const sealed = await ears.waitFor(({ id, sealed }) => id === withheld && sealed?.failure !== undefined, {
    what: 'a message without its key',
  });
  expect(sealed.sealed?.failure).toBe('MEGOLM_KEY_WITHHELD_FOR_UNVERIFIED_DEVICE');
  await alice.ask('sendOnlyTo', { whom: 'everyone' });
  await alice.ask('newSession', { room });
  expect((await read(await alice.say(room, 'for all'))).body).toBe('for all');
});
