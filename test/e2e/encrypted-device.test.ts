import { copyFile, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { call } from '#sandbox/synapse-client.ts';
import { installMs, OpsRoom } from '#test/ops-room.ts';

// The bot's device: lost, copied, thrown away. Its people notice nothing but that it is back.
let world: OpsRoom;
beforeAll(async () => {
  world = await OpsRoom.open({ parts: ['synapse'], encrypted: {} });
  await settings();
  await world.startBot(await settings());
}, installMs);
afterAll(() => world?.[Symbol.asyncDispose]());

const secrets = (name: string): string => join(world.stack.dir, 'bot', 'secrets', name);
const token = async (): Promise<string> => (await readFile(secrets('matrix-token'), 'utf8')).trim();
const deviceOf = async (of: string): Promise<string | undefined> => {
  const path = '/_matrix/client/v3/account/whoami';
  return call<{ device_id: string }>(world.url, 'GET', path, of).then(
    ({ device_id: device }) => device,
    () => undefined,
  );
};

/** With the bot's password; the token is whichever lies in its file. */
async function settings(): Promise<{ matrix: object }> {
  const { userId, password } = world.seeded.bot;
  await writeFile(secrets('matrix-password'), `${password}\n`, { mode: 0o600 });
  return {
    matrix: {
      homeserverUrl: world.url,
      userId,
      accessToken: { file: './secrets/matrix-token' },
      password: { file: './secrets/matrix-password' },
      opsRoom: world.sealed.room,
    },
  };
}

/** Writing the settings puts the seeded token back: the bot's own one is kept. */
async function restart(): Promise<void> {
  const kept = await token();
  await world.stopBot();
  world.seeded.bot.token = kept;
  await world.startBot(await settings());
}

const files = ['crypto.db', 'crypto.db-wal', 'crypto.db-shm'];
const remove = (): Promise<unknown> => Promise.all(files.map((name) => rm(join(world.dataDir, name), { force: true })));

/** Nobody is warned, and the old device is gone. */
async function isBack(before: string): Promise<void> {
  const now = await token();
  expect(now).not.toBe(before);
  expect(await deviceOf(before)).toBeUndefined();
  const answer = await world.ask('alice', '!whoami');
  expect(answer).toMatchObject({ mark: { outcome: 'done' }, sealed: { shield: 'NONE' } });
}

test('a device whose keys are lost makes place for a new one, signed by the saved identity', async () => {
  expect((await world.ask('alice', '!whoami')).body).toContain('owner');
  const before = await token();
  await world.stopBot();
  await remove();
  await world.startBot(await settings());
  await isBack(before);
});

test('an old copy of the keys is noticed before it says anything', async () => {
  const before = await token();
  world.seeded.bot.token = before;
  await world.stopBot();
  const copy = join(world.dataDir, 'copy.db');
  await copyFile(join(world.dataDir, 'crypto.db'), copy);
  await world.startBot(await settings());
  expect((await world.ask('alice', '!ping')).sealed?.shield).toBe('NONE');
  await world.stopBot();
  await remove();
  await copyFile(copy, join(world.dataDir, 'crypto.db'));
  await world.startBot(await settings());
  await isBack(before);
});

test('!crypto reset gives a new device without a restart by hand', async () => {
  const before = await token();
  const { prompt, command } = await world.request('alice', '!crypto reset');
  await world.say('alice', `!approve ${prompt.mark?.code}`);
  await expect.poll(token, { timeout: 60_000 }).not.toBe(before);
  await world.meet();
  const end = await world.end(command, 60_000);
  expect(end).toMatchObject({ mark: { outcome: 'done' }, sealed: { shield: 'NONE' } });
  await isBack(before);
});

test('an identity that was made anew counts when an owner has accepted it', async () => {
  const bob = world.sealed.peer('bob');
  expect((await world.ask('bob', '!ping')).mark?.outcome).toBe('done');
  await bob.ask('bootstrap', { reset: true });
  await expect.poll(async () => (await world.ask('bob', '!ping')).mark?.outcome, { timeout: 60_000 }).toBe('refused');
  const status = await world.ask('alice', '!crypto status');
  expect(status.body).toContain(`!crypto verify ${world.person('bob').userId}`);
  const { prompt, command } = await world.request('alice', `!crypto verify ${world.person('bob').userId}`);
  await world.say('alice', `!approve ${prompt.mark?.code}`);
  expect((await world.end(command)).mark?.outcome).toBe('done');
  expect((await world.ask('bob', '!ping')).mark?.outcome).toBe('done');
});

test('in the files of the bot, only its own user reads its identity', async () => {
  await restart();
  const { stat } = await import('node:fs/promises');
  for (const name of ['crypto.db', 'cross-signing.json'])
    expect(((await stat(join(world.dataDir, name))).mode & 0o777).toString(8)).toBe('600');
});
