import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { finished } from 'node:stream/promises';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { SettingsPatch } from '#sandbox/bot-settings.ts';
import { call } from '#sandbox/synapse-client.ts';
import { mend } from '#src/mend.ts';
import { account, whoami } from '#test/fixtures/server-state.ts';
import { installMs, OpsRoom } from '#test/ops-room.ts';

// Each way of being locked out, made on a real Synapse and mended. One test, one way; the bot is whole in between.
const minutesMs = 180_000;
const spoken = '✔ The bot can speak in its room';
let world: OpsRoom;
let bot: string;
let room: string;
let secrets: string;
const v1 = '/_synapse/admin/v1';
const v2 = (user: string): string => `/_synapse/admin/v2/users/${encodeURIComponent(user)}`;
const roomPath = (rest: string): string => `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/${rest}`;

beforeAll(async () => {
  world = await OpsRoom.open({ parts: ['synapse'] });
  bot = world.bot;
  room = world.seeded.opsRoom.roomId;
  secrets = join(world.stack.dir, 'bot', 'secrets');
  // As of a bot that has run before: one that never did has no record to write in.
  await mkdir(world.dataDir, { recursive: true, mode: 0o700 });
  // Synapse builds it in the background, minutes after it was installed; until then it opens no closed account (500).
  const index = 'CREATE UNIQUE INDEX IF NOT EXISTS profiles_full_user_id_key_idx ON profiles (full_user_id)';
  await world.stack.sql('synapse', [`${index};`]);
}, installMs);
afterAll(() => world?.[Symbol.asyncDispose]());
beforeEach(() => configure());

const secretFile = async (name: string, value: string): Promise<{ file: string }> => {
  await writeFile(join(secrets, name), `${value}\n`, { mode: 0o600 });
  return { file: `./secrets/${name}` };
};
const tokenInFile = async (name: string): Promise<string> => (await readFile(join(secrets, name), 'utf8')).trim();

/** The settings as they are, with these further secrets in them. */
async function configure(more: { password?: string; registration?: string } = {}): Promise<void> {
  const { seeded } = world;
  const patch: SettingsPatch = {
    livekit: undefined,
    matrix: {
      homeserverUrl: world.url,
      userId: bot,
      opsRoom: room,
      accessToken: { file: './secrets/matrix-token' },
      ...(more.password === undefined ? {} : { password: await secretFile('matrix-password', more.password) }),
    },
    synapse: {
      url: world.url,
      adminToken: { file: './secrets/synapse-admin-token' },
      ...(more.registration === undefined
        ? {}
        : { registrationSharedSecret: await secretFile('registration', more.registration) }),
    },
  };
  await world.settle(patch);
  await secretFile('matrix-token', seeded.bot.token);
  await secretFile('synapse-admin-token', seeded.admin.token);
}

type Mended = { code: number; text: string };
async function run(flags: string[], typed = ''): Promise<Mended> {
  const output = new PassThrough();
  let text = '';
  output.setEncoding('utf8').on('data', (piece: string) => {
    text += piece;
  });
  const input = new PassThrough();
  input.end(typed);
  const argv = ['--settings', world.files.settingsFile, ...flags];
  const code = await mend(argv, { input, output, stop: new AbortController().signal });
  output.end();
  await finished(output);
  // What a later test goes on with.
  world.seeded.bot.token = await tokenInFile('matrix-token');
  world.seeded.admin.token = await tokenInFile('synapse-admin-token');
  for (const secret of [world.seeded.bot.token, world.seeded.admin.token]) expect(text).not.toContain(secret);
  return { code, text };
}

/** Looks first and changes nothing; then mends; then the bot really speaks. */
async function mends(fault: RegExp, title: RegExp): Promise<string> {
  const before = await stateOf();
  const dry = await run(['--dry-run']);
  expect(dry.text).toMatch(fault);
  expect(dry.text).toMatch(title);
  expect(dry.code).toBe(1);
  expect(await stateOf()).toEqual(before);
  const mended = await run(['--yes']);
  expect(mended, mended.text).toMatchObject({ code: 0 });
  expect(mended.text).toMatch(fault);
  await speaks();
  expect(await run([])).toMatchObject({ code: 0 });
  return mended.text;
}

async function speaks(): Promise<void> {
  const path = roomPath(`send/m.room.message/t${performance.now()}`);
  const content = { msgtype: 'm.notice', body: 'I am back', 'm.mentions': {} };
  const { event_id: id } = await call<{ event_id: string }>(world.url, 'PUT', path, world.seeded.bot.token, content);
  await world.room.waitFor((said) => said.id === id, { what: 'the bot, back in its room' });
}

/** All that mending could touch. */
async function stateOf(): Promise<unknown> {
  const sql = [
    `SELECT name, password_hash, admin, deactivated, locked, suspended, shadow_banned FROM users ORDER BY name`,
    `SELECT count(*) FROM access_tokens`,
    `SELECT room_id, type, state_key, event_id FROM current_state_events ORDER BY 1, 2, 3`,
    `SELECT * FROM ratelimit_override ORDER BY 1`,
  ];
  const files = await Promise.all(['matrix-token', 'synapse-admin-token'].map(tokenInFile));
  return [
    await world.stack.sql(
      'synapse',
      sql.map((one) => `${one};`),
    ),
    files,
  ];
}

test(
  'nothing is wrong: it says so and changes nothing',
  async () => {
    const before = await stateOf();
    const looked = await run(['--dry-run']);
    expect(looked, looked.text).toMatchObject({ code: 0 });
    expect(await stateOf()).toEqual(before);
    expect(await run([])).toMatchObject({ code: 0, text: expect.stringContaining('can speak in its room') as string });
  },
  minutesMs,
);

test(
  'token revoked, the password known: a new token, in a file for the bot alone',
  async () => {
    await configure({ password: world.seeded.bot.password });
    await call(world.url, 'POST', '/_matrix/client/v3/logout', world.seeded.bot.token, {});
    const text = await mends(/accessToken is not accepted/, /would log in as @opsroom.* with matrix\.password/);
    expect(text).toMatch(/\d\. Start the bot again/);
    expect((await stat(join(secrets, 'matrix-token'))).mode & 0o777).toBe(0o600);
  },
  minutesMs,
);

test(
  'token revoked, password lost: the admin token sets a new one; declined, nothing is done',
  async () => {
    await call(world.url, 'POST', '/_matrix/client/v3/logout', world.seeded.bot.token, {});
    const declined = await run([], 'n\n');
    expect(declined).toMatchObject({ code: 1 });
    expect(declined.text).toMatch(/→ give @opsroom.* a new password[^]*What is left for you:\n1\. curl/);
    expect(await whoami(world.url, world.seeded.bot.token)).toBe(401);
    expect(await mends(/accessToken is not accepted/, /would give @opsroom.* a new password/)).toContain(spoken);
    world.seeded.bot.password = await tokenInFile('matrix-password');
  },
  minutesMs,
);

test(
  'token revoked and a wrong password in the settings',
  async () => {
    await configure({ password: 'not-this-one' });
    await call(world.url, 'POST', '/_matrix/client/v3/logout', world.seeded.bot.token, {});
    const text = await mends(/accessToken is not accepted/, /with matrix\.password/);
    expect(text).toMatch(/is not the password of the account[^]*new token/);
    world.seeded.bot.password = await tokenInFile('matrix-password');
  },
  minutesMs,
);

test(
  'account locked',
  async () => {
    await world.api('admin', 'PUT', v2(bot), { locked: true });
    expect(await mends(/is locked/, /would unlock/)).toContain(spoken);
  },
  minutesMs,
);

test(
  'account suspended, and shadow-banned as well',
  async () => {
    await world.api('admin', 'PUT', `${v1}/suspend/${encodeURIComponent(bot)}`, { suspend: true });
    await world.api('admin', 'POST', `${v1}/users/${encodeURIComponent(bot)}/shadow_ban`, {});
    expect(await mends(/is suspended/, /would end the suspension/)).toContain(spoken);
  },
  minutesMs,
);

test(
  'kicked',
  async () => {
    await world.api('alice', 'POST', roomPath('kick'), { user_id: bot, reason: 'by mistake' });
    const text = await mends(/the bot is not in/, /would act as @alice.* to invite the bot/);
    expect(text).toMatch(/@alice.* is shown as who invited it/);
  },
  minutesMs,
);

test(
  'kicked, and invited again by a person',
  async () => {
    await world.api('alice', 'POST', roomPath('kick'), { user_id: bot });
    await world.api('alice', 'POST', roomPath('invite'), { user_id: bot });
    expect(await mends(/but invited/, /would join/)).toContain(spoken);
  },
  minutesMs,
);

test(
  'banned',
  async () => {
    await world.api('alice', 'POST', roomPath('ban'), { user_id: bot });
    expect(await mends(/banned from/, /would act as @alice.* to lift the ban/)).toContain(spoken);
  },
  minutesMs,
);

test(
  'power removed, below what it needs',
  async () => {
    type Levels = { users: Record<string, number>; events?: Record<string, number> };
    const levels = await world.api<Levels>('alice', 'GET', roomPath('state/m.room.power_levels'));
    const { [bot]: _gone, ...users } = levels.users;
    await world.api('alice', 'PUT', roomPath('state/m.room.power_levels'), { ...levels, users, events_default: 30 });
    expect(await mends(/may not speak.*power is 0, 30 is needed/, /give the bot power 30/)).toContain(spoken);
    await world.api('alice', 'PUT', roomPath('state/m.room.power_levels'), levels);
  },
  minutesMs,
);

test(
  'rate limit back',
  async () => {
    await world.api('admin', 'DELETE', `${v1}/users/${encodeURIComponent(bot)}/override_ratelimit`);
    expect(await mends(/one in 5 s/, /would lift the rate limit/)).toContain(spoken);
  },
  minutesMs,
);

test(
  'account deactivated: open again, a new token, back in the room',
  async () => {
    await world.api('admin', 'POST', `${v1}/deactivate/${encodeURIComponent(bot)}`, { erase: false });
    // Its rooms are left behind the answer; reopened before that it would be put out again.
    const gone = async (): Promise<number> =>
      (await world.api<{ total: number }>('admin', 'GET', `${v1}/users/${encodeURIComponent(bot)}/joined_rooms`)).total;
    await expect.poll(gone, { timeout: 60_000 }).toBe(0);
    expect(await mends(/is deactivated/, /would open @opsroom.* again/)).toContain(spoken);
    expect(await account(world, bot)).toMatchObject({ deactivated: false, locked: false });
    world.seeded.bot.password = await tokenInFile('matrix-password');
  },
  minutesMs,
);

test(
  'admin token dead, nothing to make one with: said what a person does, line by line',
  async () => {
    await secretFile('synapse-admin-token', 'syt_dead_token');
    const told = await run(['--yes']);
    world.seeded.admin.token = world.stack.synapse.adminToken;
    // The bot itself can still speak.
    expect(told.code).toBe(0);
    expect(told.text).toMatch(
      /adminToken is not accepted[^]*What is left for you:\n1\. Put registration_shared_secret/,
    );
    expect(told.text).toContain('register_new_matrix_user -c homeserver.yaml --admin');
  },
  minutesMs,
);

test(
  'all at once: admin token and bot token dead, locked and banned; the shared secret mends it',
  async () => {
    await world.api('alice', 'POST', roomPath('ban'), { user_id: bot });
    await call(world.url, 'POST', '/_matrix/client/v3/logout', world.seeded.bot.token, {});
    await world.api('admin', 'PUT', v2(bot), { locked: true });
    await configure({ registration: world.stack.synapse.registrationSharedSecret });
    await secretFile('synapse-admin-token', 'syt_dead_token');
    const mended = await run(['--yes']);
    expect(mended, mended.text).toMatchObject({ code: 0 });
    expect(mended.text).toMatch(/made @opsroom-admin-\d{14}[^]*unlock[^]*new token[^]*is in !/);
    await speaks();
    const made = /@opsroom-admin-\d{14}:[\w.]+/.exec(mended.text)?.[0] ?? 'nobody';
    expect(await world.api('admin', 'GET', v2(made))).toMatchObject({ admin: true });
    // And the bot itself, as it is started again.
    await configure();
    await using _bot = await world.spawnBot();
    expect((await world.ask('alice', '!ping')).body).toContain('pong');
    // It tells its room what was done to it while it was out.
    const told = await world.room.waitFor((said) => said.body.includes('mended the bot'), { what: 'what was mended' });
    expect(told).toMatchObject({ sender: bot, msgtype: 'm.notice' });
    expect((await world.ask('alice', '!audit')).body).toContain('mend');
  },
  minutesMs,
);

test(
  'an open token file is refused before anything is looked at',
  async () => {
    await chmod(join(secrets, 'matrix-token'), 0o644);
    await expect(run(['--yes'])).rejects.toMatchObject({ kind: 'invalid', message: /others may open/ });
    await chmod(join(secrets, 'matrix-token'), 0o600);
  },
  minutesMs,
);
