import { afterAll, beforeAll, expect, test } from 'vitest';
import { call } from '#sandbox/synapse-client.ts';
import { encryptedRoom, switchOn } from '#test/fixtures/encrypted-room.ts';
import { inTheClear } from '#test/fixtures/server-state.ts';
import { installMs, OpsRoom } from '#test/ops-room.ts';

// Somebody switches encryption on in a room where the bot has long been at work.
let world: OpsRoom;
beforeAll(async () => {
  world = await OpsRoom.open({ parts: ['synapse'], encrypted: { later: true } });
  await world.startBot();
}, installMs);
afterAll(() => world?.[Symbol.asyncDispose]());

test('from that moment on the bot encrypts, reads what is encrypted, and refuses what is not', async () => {
  const { room } = world.sealed;
  expect(await world.ask('alice', '!ping')).toMatchObject({ body: 'pong', sealed: undefined });
  await world.sealed.encrypt();
  await world.meet();
  expect(await world.ask('alice', '!version')).toMatchObject({ sealed: { shield: 'NONE' } });
  expect(await inTheClear(world.stack, room, ['!version'])).toEqual(['m.room.message']);
  const content = { msgtype: 'm.text', body: '!whoami', 'm.mentions': {} };
  const path = `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/send/m.room.message/clear1`;
  const token = world.person('bob').token;
  const { event_id: clear } = await call<{ event_id: string }>(world.url, 'PUT', path, token, content);
  expect((await world.answer(clear)).mark?.outcome).toBe('refused');
});

test('a room that was encrypted once stays so, though somebody empties its rule, and after a restart', async () => {
  const { room } = world.sealed;
  const empty = { room, type: 'm.room.encryption', content: {} };
  await world.sealed.peer('alice').ask('state', empty);
  expect((await world.ask('bob', '!ping')).sealed?.shield).toBe('NONE');
  await world.startBot();
  expect((await world.ask('bob', '!ping')).sealed?.shield).toBe('NONE');
});

test('thrown out, and encrypted before it is called back: what waited is not said in the clear', async () => {
  const alice = world.sealed.peer('alice');
  const room = await encryptedRoom(alice, { invite: [world.bot], encrypted: false });
  const { userId } = world.seeded.bot;
  const accessToken = { file: './secrets/matrix-token' };
  await world.startBot({ matrix: { homeserverUrl: world.url, userId, accessToken, opsRoom: room } });
  const clear = { msgtype: 'm.text', body: '!ping', 'm.mentions': {} };
  const ping = await alice.ask('send', { room, type: 'm.room.message', content: clear, clear: true });
  const heard = alice.in(room);
  await heard.waitFor(({ root }) => root === ping, { what: 'pong' });
  await alice.ask('kick', { room, user: world.bot });
  const posted = await fetch(new URL('/hooks/alert', world.files.webhookUrl), {
    method: 'POST',
    headers: { authorization: `Bearer ${world.files.webhookSecret}`, 'content-type': 'application/json' },
    body: JSON.stringify({ key: 'drill', title: 'Fire drill', text: 'The stairs are hot.', severity: 'critical' }),
  });
  expect(posted.status).toBe(200);
  await switchOn(alice, room);
  await alice.ask('enter', { room, encrypted: true });
  await alice.ask('invite', { room, user: world.bot });
  const page = await heard.waitFor(({ body }) => body.includes('The stairs are hot.'), {
    what: 'the page',
    withinMs: 90_000,
  });
  expect(page.sealed?.shield).toBe('NONE');
  expect(await inTheClear(world.stack, room, ['stairs'])).toEqual(['m.room.message']);
});
