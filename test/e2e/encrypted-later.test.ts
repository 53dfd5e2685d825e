import { afterAll, beforeAll, expect, test } from 'vitest';
import { call } from '#sandbox/synapse-client.ts';
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
