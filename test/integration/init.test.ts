import { type ChildProcess, spawn } from 'node:child_process';
import { chmod, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { UserId } from '#domain/accounts.ts';
import type { OpsError } from '#domain/errors.ts';
import { openSynapse, type Synapse } from '#adapters/synapse/open.ts';
import { openLog } from '#adapters/system/log.ts';
import { SystemClock } from '#adapters/system/clock.ts';
import { openApp } from '#src/app.ts';
import { doctor } from '#src/doctor.ts';
import { loadSettings } from '#src/settings.ts';
import { type InitWorld, openInitWorld, Printed, runInit, secretOf } from '#test/fixtures/init-world.ts';

const installMs = 15 * 60_000;
const cleanUp = new AsyncDisposableStack();
const clock = new SystemClock();
const part = encodeURIComponent;

let world: InitWorld;
let synapse: Synapse;
let server: string;
beforeAll(async () => {
  world = cleanUp.use(await openInitWorld());
  server = world.stack.serverName;
  const { url, adminToken } = world.stack.synapse;
  synapse = cleanUp.use(await openSynapse({ url, adminToken, clock }));
}, installMs);
afterAll(async () => cleanUp.disposeAsync());

/** Other names for each test, so that none finds what another has made. */
let count = 0;
const own = (): string[] => {
  count++;
  return ['--bot', `bot${count}`, '--admin', `keeper${count}`, '--ops-room', `#ops${count}`];
};
const ids = (): { bot: UserId; admin: UserId } => ({
  bot: `@bot${count}:${server}` as UserId,
  admin: `@keeper${count}:${server}` as UserId,
});
const failure = async (argv: string[]): Promise<OpsError> =>
  runInit(argv).then(
    ({ said }) => Promise.reject(new Error(`it worked: ${said}`)),
    (error: OpsError) => error,
  );
const text = ({ message, hint }: OpsError): string => `${message}\n${hint ?? ''}`;
const state = async (
  room: string,
  token: string,
): Promise<Array<{ type: string; state_key: string; sender: string; content: Record<string, unknown> }>> => {
  const { body } = await world.client.fetch('GET', `/_matrix/client/v3/rooms/${part(room)}/state`, token);
  return body as never;
};
const roomsNamed = async (alias: string): Promise<string[]> => {
  const { rooms } = await synapse.rooms.list({ text: alias, limit: 50 });
  return rooms.map(({ room }) => room);
};

describe('with the shared secret', () => {
  let directory: string;
  let argv: string[];
  let first: { code: number; said: string };
  const bot = (): UserId => `@opsroom:${server}` as UserId;
  const admin = (): UserId => `@ops-admin:${server}` as UserId;
  beforeAll(async () => {
    directory = await world.newDirectory();
    argv = world.flags(directory);
    first = await runInit(argv);
  });

  test('says what it made and what comes next, and no secret', async () => {
    const { code, said } = first;
    expect(code).toBe(0);
    expect(said).toContain(`Accept the invitation to #ops:${server} as ${world.owner}`);
    expect(said).toContain('npm start -- doctor --settings');
    for (const name of await readdir(join(directory, 'secrets'))) {
      expect(said).not.toContain(await secretOf(directory, name));
    }
  });

  test('makes the two accounts, both without a rate limit, with named devices', async () => {
    expect(await synapse.accounts.find(bot())).toMatchObject({ admin: false, displayName: 'Opsroom' });
    expect(await synapse.accounts.find(admin())).toMatchObject({ admin: true, displayName: 'Opsroom admin' });
    for (const user of [bot(), admin()]) {
      expect(await synapse.accounts.rateLimit(user)).toEqual({ messagesPerSecond: 0, burstCount: 0 });
      const devices = await synapse.accounts.devices(user);
      expect(devices.map(({ displayName }) => displayName)).toEqual([
        expect.stringMatching(/^opsroom \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      ]);
    }
    await using opened = await openSynapse({
      url: world.stack.synapse.url,
      adminToken: await secretOf(directory, 'synapse-admin-token'),
      chatToken: await secretOf(directory, 'matrix-token'),
      clock,
    });
    const tokens = await opened.tokens.status();
    expect(tokens.map(({ owner, works }) => [owner, works])).toEqual([
      [admin(), true],
      [bot(), true],
    ]);
    for (const { issuedAt } of tokens) expect(Math.abs(clock.now() - (issuedAt ?? 0))).toBeLessThan(120_000);
  });

  test('makes a private room of the newest kind, of which the bot is the creator and the owner has all power', async () => {
    const [room, ...others] = await roomsNamed('Operations');
    expect(others).toEqual([]);
    const events = await state(room ?? '', await secretOf(directory, 'matrix-token'));
    const content = (type: string, key = ''): unknown =>
      events.find((event) => event.type === type && event.state_key === key)?.content;
    expect(events.find(({ type }) => type === 'm.room.create')).toMatchObject({
      sender: bot(),
      content: { room_version: '12' },
    });
    expect(content('m.room.power_levels')).toMatchObject({ users: { [world.owner]: 100 } });
    expect(content('m.room.join_rules')).toEqual({ join_rule: 'invite' });
    expect(content('m.room.guest_access')).toEqual({ guest_access: 'forbidden' });
    expect(content('m.room.canonical_alias')).toMatchObject({ alias: `#ops:${server}` });
    expect(content('m.room.member', world.owner)).toMatchObject({ membership: 'invite' });
    expect(content('m.room.encryption')).toBeUndefined();
  });

  test('leaves files that only their owner may open, and nothing half-written', async () => {
    expect((await readdir(directory)).sort()).toEqual(['opsroom.yaml', 'secrets']);
    const names = await readdir(join(directory, 'secrets'));
    expect(names.sort()).toEqual([
      'matrix-password',
      'matrix-token',
      'synapse-admin-password',
      'synapse-admin-token',
      'webhook-secret',
    ]);
    for (const path of ['opsroom.yaml', ...names.map((name) => `secrets/${name}`)]) {
      expect([path, (await stat(join(directory, path))).mode & 0o777]).toEqual([path, 0o600]);
    }
    const settings = await readFile(join(directory, 'opsroom.yaml'), 'utf8');
    for (const name of names) expect(settings).not.toContain(await secretOf(directory, name));
  });

  test('a second run changes nothing', async () => {
    const before = await Promise.all([bot(), admin()].map((user) => synapse.accounts.devices(user)));
    const tokens = await Promise.all(
      ['matrix-token', 'synapse-admin-token', 'webhook-secret'].map((name) => secretOf(directory, name)),
    );
    const { code, said } = await runInit(argv);
    expect(code).toBe(0);
    expect(said).toContain('is there, and its token works');
    expect(said).toContain('is as it should be');
    const after = await Promise.all([bot(), admin()].map((user) => synapse.accounts.devices(user)));
    expect(after.map((list) => list.map(({ id }) => id))).toEqual(before.map((list) => list.map(({ id }) => id)));
    expect(
      await Promise.all(
        ['matrix-token', 'synapse-admin-token', 'webhook-secret'].map((name) => secretOf(directory, name)),
      ),
    ).toEqual(tokens);
    expect(await roomsNamed('Operations')).toHaveLength(1);
  });

  test('the doctor finds all well, and the bot answers the owner who has accepted', async () => {
    const settings = join(directory, 'opsroom.yaml');
    const printed = new Printed();
    expect([await doctor(['--settings', settings], printed), printed.text]).toEqual([
      0,
      expect.stringContaining('All that is set up works'),
    ]);
    expect(printed.text).toContain('⚠ owners');
    const [room = ''] = await roomsNamed('Operations');
    await world.client.as(world.owner, 'POST', `/rooms/${part(room)}/join`, {});
    const second = new Printed();
    expect(await doctor(['--settings', settings], second)).toBe(0);
    expect(second.text).toContain('✔ owners');

    const log = openLog({ level: 'error', format: 'json', write: () => undefined });
    await using app = await openApp(loadSettings({ file: settings }), { log });
    const third = new Printed();
    expect(await doctor(['--settings', settings], third)).toBe(0);
    expect(third.text).toMatch(/✔ HTTP +\S+, held by the running bot/);
    expect(app.bot.user).toBe(bot());
    await world.client.as(world.owner, 'PUT', `/rooms/${part(room)}/send/m.room.message/ping1`, {
      msgtype: 'm.text',
      body: '!ping',
    });
    const answers = async (): Promise<unknown> => {
      const { chunk } = await world.client.as(
        world.owner,
        'GET',
        `/rooms/${part(room)}/messages?dir=b&limit=10`,
        undefined,
      );
      const events = chunk as Array<{ sender: string; content: Record<string, unknown> }>;
      return events.find(
        ({ sender, content }) =>
          sender === bot() && (content['org.opsroom'] as { command?: string } | undefined)?.command === 'ping',
      )?.content['org.opsroom'];
    };
    await expect.poll(answers, { timeout: 20_000, interval: 200 }).toMatchObject({ kind: 'reply', outcome: 'done' });
  });

  test('what an operator changed stays; --force writes it anew and keeps theirs', async () => {
    const path = join(directory, 'opsroom.yaml');
    const original = await readFile(path, 'utf8');
    const mine = `${original}prefix: "?"\n`;
    await writeFile(path, mine);
    expect((await runInit(argv)).said).toContain('left as it is; --force writes it anew');
    expect(await readFile(path, 'utf8')).toBe(mine);
    expect((await runInit([...argv, '--force'])).code).toBe(0);
    expect([await readFile(path, 'utf8'), await readFile(`${path}.bak`, 'utf8')]).toEqual([original, mine]);
  });

  test('a lost or dead token is made anew, by the password that is kept', async () => {
    const dead = await secretOf(directory, 'matrix-token');
    await world.client.fetch('POST', '/_matrix/client/v3/logout', dead, {});
    await rm(join(directory, 'secrets', 'synapse-admin-token'));
    const { said } = await runInit(argv);
    expect(said.match(/is there, and has a new token/g)).toHaveLength(2);
    expect(await secretOf(directory, 'matrix-token')).not.toBe(dead);
    const printed = new Printed();
    expect(await doctor(['--settings', join(directory, 'opsroom.yaml')], printed)).toBe(0);
  });

  test('a limit that somebody set again is lifted again', async () => {
    await synapse.accounts.setRateLimit(bot(), undefined);
    expect((await runInit(argv)).said).toContain(`the rate limit of ${bot()} lifted`);
    expect(await synapse.accounts.rateLimit(bot())).toEqual({ messagesPerSecond: 0, burstCount: 0 });
  });
});

describe("with an admin's token", () => {
  test('makes all of it, and does not keep that token', async () => {
    const directory = await world.newDirectory();
    const { adminToken } = world.stack.synapse;
    const file = await world.secretFile('admin-token', adminToken);
    const argv = world.flags(directory, [...own(), '--admin-token-file', file]);
    expect((await runInit(argv)).code).toBe(0);
    const { bot, admin } = ids();
    expect(await synapse.accounts.find(admin)).toMatchObject({ admin: true });
    expect(await synapse.accounts.find(bot)).toMatchObject({ admin: false });
    for (const user of [bot, admin]) {
      expect((await synapse.accounts.devices(user))[0]?.displayName).toMatch(/^opsroom 2/);
    }
    for (const name of await readdir(join(directory, 'secrets'))) {
      expect(await secretOf(directory, name)).not.toBe(adminToken);
    }
    expect(await doctor(['--settings', join(directory, 'opsroom.yaml')], new Printed())).toBe(0);
    expect((await runInit(argv)).said).toContain('is as it should be');
  });

  test('refuses one that is nobody’s, or of somebody without the right', async () => {
    const directory = await world.newDirectory();
    const nobody = await world.secretFile('nobody-token', 'syt_canary_token');
    const dead = await failure(world.flags(directory, [...own(), '--admin-token-file', nobody]));
    expect(text(dead)).toContain('does not work');
    expect(text(dead)).not.toContain('canary');
    await world.client.as(world.owner, 'GET', '/joined_rooms', undefined);
    const plain = await world.secretFile('plain-token', world.client.tokenOf(world.owner));
    const refused = await failure(world.flags(directory, [...own(), '--admin-token-file', plain]));
    expect(refused.message).toBe(`${world.owner} is not a server admin.`);
    expect(await readdir(directory)).toEqual([]);
  });
});

describe('refuses, and says what to do', () => {
  test.each([
    ['nothing listens', () => `http://${world.stack.addresses.bot}`],
    ['no such host', () => 'http://localhost.invalid'],
  ])('a homeserver that is not there: %s', async (_name, urlOf) => {
    const [url, directory] = [urlOf(), await world.newDirectory()];
    const error = await failure([...world.flags(directory), '--homeserver', url]);
    expect(error.kind).toBe('unavailable');
    expect(text(error)).toMatch(
      /cannot be reached \((ECONNREFUSED|ENOTFOUND|EAI_AGAIN|UND_ERR\w*)\).*Is Synapse running/s,
    );
    expect(await readdir(directory)).toEqual([]);
  });

  test('an address where something else answers', async () => {
    const directory = await world.newDirectory();
    const error = await failure([
      ...world.flags(directory),
      '--homeserver',
      new URL(world.stack.synapse.metricsUrl).origin,
    ]);
    expect(error.kind).toBe('misconfigured');
    expect(text(error)).toContain("must be Synapse's own address");
  });

  test('the wrong shared secret', async () => {
    const directory = await world.newDirectory();
    const file = await world.secretFile('wrong', 'canary-not-the-secret');
    const error = await failure(world.flags(directory, [...own(), '--shared-secret-file', file]));
    expect(error.kind).toBe('misconfigured');
    expect(error.message).toContain('it is not the secret of this homeserver');
    expect(text(error)).not.toContain('canary');
  });

  test('a name that is somebody’s, with either key, and leaves them alone', async () => {
    const name = 'human';
    const human = await world.client.makeUser(name, server);
    const before = await synapse.accounts.find(human);
    const adminToken = await world.secretFile('admin-token', world.stack.synapse.adminToken);
    for (const key of [[], ['--admin-token-file', adminToken]]) {
      for (const flag of ['--bot', '--admin']) {
        const directory = await world.newDirectory();
        const error = await failure(world.flags(directory, [...own(), ...key, flag, name]));
        expect(error.kind).toBe('conflict');
        expect(error.message).toBe(`@${name} exists already and was not made by init: it is left alone.`);
        expect(error.hint).toContain(`${flag} NAME`);
        // Half-way: the admin account exists by then, and that is said.
        expect(error.hint?.includes('There is by now:')).toBe(flag === '--bot');
        // Another try, with the password that is kept now, takes nobody's account either.
        expect((await failure(world.flags(directory, [...own(), ...key, flag, name]))).kind).toBe('conflict');
      }
    }
    expect(await synapse.accounts.find(human)).toEqual(before);
    expect(await synapse.accounts.devices(human)).toEqual([]);
  });

  test('an alias that is another room’s; being invited there makes it ours', async () => {
    const room = await world.client.makeRoom({
      creator: world.owner,
      alias: `#lounge:${server}` as never,
      public: true,
    });
    const directory = await world.newDirectory();
    const argv = world.flags(directory, [...own().slice(0, 4), '--ops-room', '#lounge']);
    const { bot } = ids();
    const error = await failure(argv);
    expect(error.kind).toBe('conflict');
    expect(text(error)).toMatch(
      new RegExp(`is another room.*Invite ${bot}.*There is by now.*running the same command again is safe`, 'is'),
    );
    expect((await synapse.accounts.memberships(bot)).size).toBe(0);
    await world.client.as(world.owner, 'POST', `/rooms/${part(room)}/invite`, { user_id: bot });
    expect((await runInit(argv)).said).toContain(`the room #lounge:${server} is there`);
    expect((await synapse.accounts.memberships(bot)).get(room)).toBe('join');
  });

  test('an owner who does not exist, a room of another server, another server than meant', async () => {
    const directory = await world.newDirectory();
    const flags = (...more: string[]): string[] => world.flags(directory, [...own(), ...more]);
    expect((await failure(flags('--owner', 'nobody'))).message).toContain(`There is no account @nobody:${server}`);
    expect((await failure(flags('--ops-room', '#ops:other.org'))).message).toContain('is a room of another server');
    expect((await failure(flags('--server-name', 'other.org'))).message).toBe(
      `This homeserver is ${server}, not other.org.`,
    );
  });

  test('an encrypted room works, from verified devices', async () => {
    const directory = await world.newDirectory();
    const argv = world.flags(directory, [...own().slice(0, 4), '--ops-room', '#sealed']);
    const { bot } = ids();
    const room = await world.client.makeRoom({
      creator: world.owner,
      alias: `#sealed:${server}` as never,
      encrypted: true,
    });
    await failure(argv);
    await world.client.as(world.owner, 'POST', `/rooms/${part(room)}/invite`, { user_id: bot });
    expect((await runInit(argv)).said).toContain('from verified devices only');
    const printed = new Printed();
    await doctor(['--settings', join(directory, 'opsroom.yaml')], printed);
    expect(printed.text).toMatch(/encryption +the ops room is encrypted/);
  });

  test('makes an encrypted room when that is wished, and the bot may log in by itself later', async () => {
    const directory = await world.newDirectory();
    const argv = world.flags(directory, [...own(), '--encrypted', 'yes']);
    expect((await runInit(argv)).said).toContain('from verified devices only');
    const settings = loadSettings({ file: join(directory, 'opsroom.yaml') });
    expect(settings.matrix.password?.file).toBe(join(directory, 'secrets', 'matrix-password'));
    const log = openLog({ level: 'error', format: 'json', write: () => undefined });
    await using app = await openApp({ ...settings, http: undefined }, { log });
    const token = settings.matrix.accessToken.reveal();
    const keys = await world.client.fetch('POST', '/_matrix/client/v3/keys/query', token, {
      device_keys: { [app.bot.user]: [] },
    });
    expect(JSON.stringify(keys)).toContain('self_signing_keys');
    expect(JSON.stringify(keys)).toContain(app.bot.user);
  });

  test('a directory in which it may not write', async () => {
    const directory = await world.newDirectory();
    await writeFile(join(directory, 'secrets'), 'a file where the directory should be');
    const error = await failure(world.flags(directory, own()));
    expect(error.message).toMatch(/Cannot (read|write) /);
    expect(await synapse.accounts.find(ids().admin)).toBeUndefined();
  });

  test('a secret file that others may open', async () => {
    const directory = await world.newDirectory();
    const file = await world.secretFile('open', 'x');
    await chmod(file, 0o644);
    const error = await failure(world.flags(directory, [...own(), '--shared-secret-file', file]));
    expect([error.kind, error.hint]).toEqual(['invalid', `Type: chmod 600 ${file}`]);
  });
});

describe('on a terminal', () => {
  test('asks, says what it is about to make, and makes it', async () => {
    const directory = await world.newDirectory();
    own();
    const input = Object.assign(new PassThrough(), { isTTY: true });
    const shared = await world.secretFile('typed-secret', world.stack.synapse.registrationSharedSecret);
    input.write([world.stack.synapse.url, shared, 'alice', `#ops${count}`, '', '', 'maybe', 'y', ''].join('\n'));
    const out = join(directory, 'opsroom.yaml');
    const names = ['--bot', `bot${count}`, '--admin', `keeper${count}`, '--out', out, '--listen', 'off'];
    const { code, said } = await runInit(names, { input });
    expect(code).toBe(0);
    expect(said).toContain(`the accounts @bot${count} and @keeper${count} (a server admin), the room #ops${count}`);
    expect(said).toContain('Go on? [Y/n]');
    expect(loadSettings({ file: out }).people).toMatchObject([{ user: world.owner, role: 'owner' }]);
  });

  test('a no makes nothing', async () => {
    const directory = await world.newDirectory();
    const input = Object.assign(new PassThrough(), { isTTY: true });
    input.write('n\n');
    await expect(runInit(world.flags(directory, own()), { input })).rejects.toMatchObject({
      message: 'Nothing was made.',
    });
    expect([await readdir(directory), await synapse.accounts.find(ids().bot)]).toEqual([[], undefined]);
  });
});

describe('cut off', () => {
  const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
  const start = (argv: string[]): ChildProcess =>
    spawn(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', '--disable-warning=DEP0060', main, 'init', ...argv],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
  const ended = (child: ChildProcess): Promise<number | null> => new Promise((resolve) => child.once('exit', resolve));

  /** Kills it right after its nth line of work, or lets it end. Gives what it said. */
  async function killAfter(argv: string[], lines: number): Promise<{ said: string; code: number | null }> {
    const child = start(argv);
    let said = '';
    const end = ended(child);
    child.stdout?.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (said.split('\n').length > lines) child.kill('SIGKILL');
    });
    return { code: await end, said };
  }

  test('at any line, the next run goes on: one admin, one bot, one room', async () => {
    const directory = await world.newDirectory();
    const argv = world.flags(directory, own());
    const { bot, admin } = ids();
    for (let lines = 1; lines <= 6; lines++) await killAfter(argv, lines);
    const { code, said } = await killAfter(argv, 1000);
    expect([code, said]).toEqual([0, expect.stringContaining('Next:')]);
    expect(await doctor(['--settings', join(directory, 'opsroom.yaml')], new Printed())).toBe(0);
    expect((await synapse.accounts.memberships(bot)).size).toBe(1);
    for (const user of [bot, admin]) {
      // A token that was cut off on its way to the disk is made anew: at most one more device for each cut.
      expect((await synapse.accounts.devices(user)).length).toBeLessThan(4);
      expect(await synapse.accounts.rateLimit(user)).toEqual({ messagesPerSecond: 0, burstCount: 0 });
    }
  }, 120_000);

  test('at ten random moments', async () => {
    const directory = await world.newDirectory();
    const argv = world.flags(directory, own());
    for (let n = 0; n < 10; n++) {
      const child = start(argv);
      const end = ended(child);
      // Counted from the first line, so that the time it takes to start doesn't matter.
      child.stdout?.once('data', () => setTimeout(() => child.kill('SIGKILL'), Math.random() * 400));
      await end;
    }
    expect((await runInit(argv)).code).toBe(0);
    expect(await doctor(['--settings', join(directory, 'opsroom.yaml')], new Printed())).toBe(0);
    expect((await synapse.accounts.memberships(ids().bot)).size).toBe(1);
  }, 120_000);

  test('by Ctrl-C it says where it is, and ends with 1', async () => {
    const directory = await world.newDirectory();
    const child = start(world.flags(directory, own()));
    let said = '';
    const end = ended(child);
    child.stdout?.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes('a server admin, made')) child.kill('SIGINT');
    });
    expect(await end).toBe(1);
    expect(said).toMatch(/Stopped\. There is by now: @keeper\d+:.*Running the same command again is safe/);
  });
});

test('secrets on the command line are refused by the program itself, with exit code 2', async () => {
  const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
  const child = spawn(process.execPath, [main, 'init', '--shared-secret', 'canary-1'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
  expect(await new Promise((resolve) => child.once('close', resolve))).toBe(2);
  expect(said).toContain('no secret goes on the command line');
  expect(said).not.toContain('canary-1');
});
