import { spawn } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, createServer as createPlainServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseDocument } from 'yaml';
import type { UserId } from '#domain/accounts.ts';
import type { RoomAlias } from '#domain/rooms.ts';
import { openSynapse, type Synapse } from '#adapters/synapse/open.ts';
import { SystemClock } from '#adapters/system/clock.ts';
import { doctor } from '#src/doctor.ts';
import { Pager } from '#test/fixtures/pager.ts';
import { type InitWorld, openInitWorld, Printed, runInit, secretOf } from '#test/fixtures/init-world.ts';

const installMs = 15 * 60_000;
const cleanUp = new AsyncDisposableStack();
const clock = new SystemClock();
const part = encodeURIComponent;
const roster = {
  kind: 'postgres',
  url: { file: './secrets/app-db-url' },
  users: {
    table: '"User"',
    id: 'id',
    matrixId: 'matrixId',
    status: 'status',
    active: 'A',
    suspended: 'S',
    onboarding: 'O',
  },
  memberships: { table: '"ProjectMember"', user: 'userId', project: 'projectId' },
  credentials: { table: '"MatrixCredential"', user: 'userId' },
};

let world: InitWorld;
let synapse: Synapse;
let directory: string;
/** The settings of a place where all is well. */
let good: string;
let bot: UserId;
/** All that was printed by any of the tests. */
let printed = '';

beforeAll(async () => {
  world = cleanUp.use(await openInitWorld({ parts: ['synapse', 'livekit', 'prometheus', 'alertmanager'] }));
  const { stack } = world;
  const { url, adminToken } = stack.synapse;
  synapse = cleanUp.use(await openSynapse({ url, adminToken, clock }));
  bot = `@opsroom:${stack.serverName}` as UserId;
  directory = await world.newDirectory();
  const [livekit] = await Promise.all([stack.livekit, stack.prometheus, stack.alertmanager]);
  const { postgres, addresses } = stack;
  const flags = [
    `--livekit-url ${livekit.url} --livekit-key ${livekit.apiKey} --livekit-metrics-url ${livekit.metricsUrl}`,
    `--livekit-secret-file ${await world.secretFile('livekit', livekit.apiSecret)}`,
    `--postgres-host ${postgres.host} --postgres-port ${postgres.port} --postgres-user ${postgres.superuser}`,
    `--postgres-password-file ${await world.secretFile('pg', postgres.superPassword)} --backups ${join(directory, 'sets')}`,
  ];
  await runInit(world.flags(directory, flags.join(' ').split(' ')));
  await secret('app-db-url', postgres.appUrl);
  await secret('wrong', 'canary-wrong-secret-of-more-than-32-characters');
  const { username, password } = new URL(postgres.appUrl);
  const tables = [
    'CREATE TABLE "User" (id text, "matrixId" text, status text);',
    'CREATE TABLE "ProjectMember" ("userId" text, "projectId" text);',
    'CREATE TABLE "MatrixCredential" ("userId" text);',
  ];
  await stack.sql('app', tables, { name: username, password });
  const room = await synapse.rooms.resolve(`#ops:${stack.serverName}` as RoomAlias);
  await world.client.as(world.owner, 'POST', `/rooms/${part(room)}/join`, {});
  good = await readFile(join(directory, 'opsroom.yaml'), 'utf8');
  good = change({
    roster,
    'alerts.prometheusUrl': addresses.prometheusUrl,
    'alerts.alertmanagerUrl': addresses.alertmanagerUrl,
    'postgres.binDirectory': postgres.binDir,
    'alerts.fallback': [{ webhook: { url: cleanUp.use(await Pager.open()).url } }],
  });
}, installMs);
afterAll(async () => cleanUp.disposeAsync());

const secret = (name: string, value: string): Promise<void> =>
  writeFile(join(directory, 'secrets', name), value, { mode: 0o600 });

/** The good settings with some keys set, or left out with undefined. */
function change(patch: Record<string, unknown>): string {
  const document = parseDocument(good);
  for (const [key, value] of Object.entries(patch)) {
    if (value === undefined) document.deleteIn(key.split('.'));
    else document.setIn(key.split('.'), value);
  }
  return document.toString();
}

async function examined(patch: Record<string, unknown> = {}): Promise<{ code: number; text: string; lines: string[] }> {
  const file = join(directory, 'doctor.yaml');
  await writeFile(file, change(patch), { mode: 0o600 });
  const output = new Printed();
  const code = await doctor(['--settings', file], output);
  printed += output.text;
  return { code, text: output.text, lines: output.text.split('\n').filter((line) => /^[✔⚠✘–]/.test(line)) };
}
const bad = (lines: string[]): string[] => lines.filter((line) => !line.startsWith('✔'));

test('finds nothing where all is well, on every part', async () => {
  const { code, lines, text } = await examined();
  expect(bad(lines)).toEqual([]);
  expect([code, text.split('\n').at(-2)]).toEqual([0, 'All that is set up works.']);
  expect(lines.length).toBe(23);
});

test('what is left out is off, and no fault', async () => {
  const off = ['livekit', 'roster', 'postgres', 'backups', 'http', 'alerts', 'synapse.metricsUrls'];
  const { code, lines, text } = await examined(Object.fromEntries(off.map((key) => [key, undefined])));
  expect(code).toBe(0);
  const [warned, ...rest] = bad(lines).toSorted((a, b) => Number(b.startsWith('⚠')) - Number(a.startsWith('⚠')));
  expect(warned).toMatch(/^⚠ fallback +pages have no other way.*→ Set alerts\.fallback/);
  expect(rest.every((line) => line.startsWith('–'))).toBe(true);
  expect(text).toContain('All that is set up works (1 to look at, 9 off).');
});

type Fault = [name: string, patch: () => Record<string, unknown>, line: RegExp];
const closed = (): string => `http://127.0.0.1:1${String(world.stack.postgres.port).slice(1)}`;
const faults: Fault[] = [
  [
    'no homeserver',
    () => ({ 'synapse.url': closed() }),
    /^✘ homeserver +.*→ Is Synapse running, and is synapse\.url \(http:\/\/127\.0\.0\.1:\d+\) its address\?/,
  ],
  [
    'a dead bot token, asked about the room',
    () => ({ 'matrix.accessToken.file': './secrets/wrong' }),
    /^– ops room +not known: the bot token does not work/,
  ],
  [
    'a dead bot token',
    () => ({ 'matrix.accessToken.file': './secrets/wrong' }),
    /^✘ bot token +matrix\.accessToken is not accepted.*→ npm start -- mend/,
  ],
  [
    'a token of another account',
    () => ({ 'matrix.accessToken.file': './secrets/synapse-admin-token' }),
    /^✘ bot token +matrix\.accessToken belongs to @ops-admin:/,
  ],
  [
    'a dead admin token',
    () => ({ 'synapse.adminToken.file': './secrets/wrong' }),
    /^✘ admin token +.*synapse\.adminToken is not valid.*→/,
  ],
  [
    'an admin token without the right',
    () => ({ 'synapse.adminToken.file': './secrets/matrix-token' }),
    /^✘ admin token +.*not a server admin/,
  ],
  [
    'no such room',
    () => ({ 'matrix.opsRoom': `#nowhere:${world.stack.serverName}` }),
    /^✘ ops room +There is no room #nowhere:.*→ npm start -- init/,
  ],
  [
    'people without an account',
    () => ({ people: [{ user: `@nobody:${world.stack.serverName}`, role: 'owner' }] }),
    /^✘ people +there is no account @nobody/,
  ],
  ['no owner', () => ({ people: [{ user: world.owner, role: 'admin' }] }), /^✘ people +Nobody is an owner/],
  [
    'metrics that are none',
    () => ({ 'synapse.metricsUrls': [`${world.stack.synapse.url}/health`] }),
    /^✘ Synapse metrics .*not with metrics of Synapse.*→ Mend synapse\.metricsUrls/,
  ],
  [
    'metrics of the other',
    () => ({ 'livekit.metricsUrl': world.stack.synapse.metricsUrl }),
    /^✘ LiveKit metrics .*not with metrics of LiveKit/,
  ],
  ['no metrics listener', () => ({ 'synapse.metricsUrls': [closed()] }), /^✘ Synapse metrics +No metrics from/],
  [
    'a wrong LiveKit secret',
    () => ({ 'livekit.apiSecret.file': './secrets/wrong' }),
    /^✘ calls +.*LiveKit refuses the API key.*→ livekit\.apiKey/,
  ],
  ['no LiveKit', () => ({ 'livekit.url': closed() }), /^✘ calls +.*cannot be reached/],
  [
    'Alertmanager for Prometheus',
    () => ({ 'alerts.prometheusUrl': world.stack.addresses.alertmanagerUrl }),
    /^✘ Prometheus .*is not Prometheus.*→ Mend alerts\.prometheusUrl/,
  ],
  ['no Alertmanager', () => ({ 'alerts.alertmanagerUrl': closed() }), /^✘ Alertmanager +Nothing listens at/],
  [
    'no such table',
    () => ({ 'roster.memberships.table': 'projects' }),
    /^✘ application +Cannot read roster\.memberships.*a table does not exist.*→/,
  ],
  [
    'no such column',
    () => ({ 'roster.users.status': 'state' }),
    /^✘ application +Cannot read roster\.users.*a column does not exist/,
  ],
  [
    'a wrong database password',
    () => ({ 'postgres.password.file': './secrets/wrong' }),
    /^✘ PostgreSQL +.*the user postgres was not let in.*→ Check user and password/,
  ],
  [
    "another database than Synapse's",
    () => ({ 'postgres.database': 'app' }),
    /^✘ PostgreSQL +app is not Synapse's database.*→ Mend postgres\.database/,
  ],
  [
    'no tools',
    () => ({ 'postgres.binDirectory': '/nowhere' }),
    /^✘ backup tools +pg_(?:dump|restore) of PostgreSQL \d+ or newer is needed.*→ Install postgresql-client/,
  ],
  [
    'backups without a database',
    () => ({ postgres: undefined }),
    /^✘ backups +postgres is not set, so nothing is backed up/,
  ],
  [
    'a directory that is none',
    () => ({ 'backups.directory': './opsroom.yaml' }),
    /^✘ backups +\S+opsroom\.yaml is not a directory/,
  ],
  [
    'a directory in which nobody may write',
    () => ({ dataDir: '/proc/opsroom' }),
    /^✘ data +Cannot write in \/proc \(E\w+\).*→.*dataDir/,
  ],
  [
    'an address of another machine',
    () => ({ 'http.listen': '192.0.2.1:80' }),
    /^✘ HTTP +Cannot listen on 192\.0\.2\.1:80 \(EADDRNOTAVAIL\).*→ Change http\.listen/,
  ],
];

test.each(faults)('%s is one line that says what mends it, and exit 1', async (_name, patch, wanted) => {
  const { code, lines } = await examined(patch());
  expect(
    lines.filter((line) => wanted.test(line)),
    lines.join('\n'),
  ).toHaveLength(1);
  expect(code).toBe(1);
});

describe('what is told once', () => {
  test('a homeserver that is down, with all that depends on it not known', async () => {
    const { code, lines } = await examined({ 'synapse.url': closed(), 'matrix.homeserverUrl': closed() });
    expect(code).toBe(1);
    expect(lines.filter((line) => line.startsWith('✘'))).toEqual([
      expect.stringMatching(/^✘ homeserver .*ECONNREFUSED.*→/),
    ]);
    expect(lines.filter((line) => line.includes('not known: the homeserver does not answer'))).toHaveLength(8);
  });

  test('a PostgreSQL that is down', async () => {
    const { code, lines } = await examined({ 'postgres.port': 1, roster: undefined });
    expect(code).toBe(1);
    expect(lines.filter((line) => line.startsWith('✘'))).toEqual([
      expect.stringMatching(/^✘ PostgreSQL .*ECONNREFUSED/),
    ]);
    expect(lines.join('\n')).toContain('the server could not be asked for its version');
  });
});

describe('what works, but should be mended, is no fault', () => {
  test('a rate limit, a public room that all may read, an owner who is not there', async () => {
    const room = await synapse.rooms.resolve(`#ops:${world.stack.serverName}` as RoomAlias);
    const token = await secretOf(directory, 'matrix-token');
    const set = async (type: string, content: object): Promise<void> => {
      const path = `/_matrix/client/v3/rooms/${part(room)}/state/${type}/`;
      expect((await world.client.fetch('PUT', path, token, content)).status).toBe(200);
    };
    await synapse.accounts.setRateLimit(bot, undefined);
    await set('m.room.join_rules', { join_rule: 'public' });
    await set('m.room.history_visibility', { history_visibility: 'world_readable' });
    await world.client.as(world.owner, 'POST', `/rooms/${part(room)}/leave`, {});
    try {
      const { code, lines, text } = await examined();
      expect(code).toBe(0);
      expect(bad(lines)).toEqual([
        expect.stringMatching(/^⚠ rate limits +@opsroom:\S+ may send 10 messages.*→ npm start -- mend/),
        expect.stringMatching(/^⚠ privacy .*anybody may join it, anybody may read it.*→/),
        expect.stringMatching(/^⚠ owners .*→ Accept the invitation/),
      ]);
      expect(text).toContain('All that is set up works (3 to look at).');
    } finally {
      await set('m.room.join_rules', { join_rule: 'invite' });
      await set('m.room.history_visibility', { history_visibility: 'shared' });
      await synapse.accounts.setRateLimit(bot, { messagesPerSecond: 0, burstCount: 0 });
      await world.client.fetch('POST', `/_matrix/client/v3/rooms/${part(room)}/invite`, token, {
        user_id: world.owner,
      });
      await world.client.as(world.owner, 'POST', `/rooms/${part(room)}/join`, {});
    }
    expect(bad((await examined()).lines)).toEqual([]);
  });

  test('a right that is missing in the application', async () => {
    const { username, password } = new URL(world.stack.postgres.appUrl);
    const role = { name: username, password };
    await world.stack.sql('app', ['REVOKE DELETE ON "ProjectMember" FROM app;'], role);
    const { code, lines } = await examined();
    await world.stack.sql('app', ['GRANT DELETE ON "ProjectMember" TO app;'], role);
    expect([code, bad(lines)]).toEqual([
      0,
      [expect.stringMatching(/^⚠ application .*DELETE ON "ProjectMember".*→.*GRANT DELETE/)],
    ]);
  });
});

describe('the ops room of somebody else', () => {
  const inRoom = async (alias: string, levels?: object): Promise<string> => {
    const room = await world.client.makeRoom({
      creator: world.owner,
      alias: `#${alias}:${world.stack.serverName}` as RoomAlias,
    });
    if (levels !== undefined)
      await world.client.as(world.owner, 'PUT', `/rooms/${part(room)}/state/m.room.power_levels/`, levels);
    return room;
  };

  test('the bot is not in it, is invited, is in it and may not speak', async () => {
    const room = await inRoom('muted', { events_default: 20, users_default: 0 });
    const opsRoom = { 'matrix.opsRoom': `#muted:${world.stack.serverName}` };
    expect((await examined(opsRoom)).lines).toContainEqual(
      expect.stringMatching(
        /^✘ ops room +The bot is not in #muted.*→ npm start -- mend lets it in; or invite @opsroom/,
      ),
    );
    await world.client.as(world.owner, 'POST', `/rooms/${part(room)}/invite`, { user_id: bot });
    const invited = await examined(opsRoom);
    expect(invited.lines).toContainEqual(
      expect.stringMatching(/^✘ ops room +The bot is invited.*→ It joins when it starts/),
    );
    // It only looks: the invitation is still open.
    expect((await synapse.accounts.memberships(bot)).get(room as never)).toBe('invite');
    const token = await secretOf(directory, 'matrix-token');
    await world.client.fetch('POST', `/_matrix/client/v3/rooms/${part(room)}/join`, token, {});
    const { code, lines } = await examined(opsRoom);
    expect(lines).toContainEqual(
      expect.stringMatching(
        /^✘ ops room +The bot may not speak.*its power is 0, 20 is needed.*→ npm start -- mend does it/,
      ),
    );
    expect(code).toBe(1);
  });
});

test('a role that may not make the scratch database, nor read all tables', async () => {
  const { stack } = world;
  await stack.sql('synapse', [
    "CREATE ROLE reader LOGIN PASSWORD 'reader-pw-canary';",
    'GRANT SELECT ON schema_version TO reader;',
  ]);
  await secret('reader', 'reader-pw-canary');
  const { lines } = await examined({ 'postgres.user': 'reader', 'postgres.password.file': './secrets/reader' });
  expect(lines).toContainEqual(
    expect.stringMatching(
      /^✘ PostgreSQL +reader may not read \d+ of the tables.*→ As a superuser: GRANT pg_read_all_data TO "reader"/,
    ),
  );
  expect(lines).toContainEqual(
    expect.stringMatching(/^✘ restore tests +reader may not create.*→ As a superuser: ALTER ROLE "reader" CREATEDB/),
  );
  const elsewhere = {
    'postgres.scratch': { user: stack.postgres.superuser, password: { file: './secrets/pg-password' } },
  };
  const { lines: better } = await examined({
    'postgres.user': 'reader',
    'postgres.password.file': './secrets/reader',
    ...elsewhere,
  });
  expect(better).toContainEqual(expect.stringMatching(/^✔ restore tests/));
});

describe('its own address', () => {
  const listening = (server: Server | ReturnType<typeof createPlainServer>): Promise<number> =>
    new Promise((resolve) => {
      server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
    });

  test('held by another program', async () => {
    const other = createServer((_request, response) => response.end('ok'));
    const port = await listening(other);
    const { code, lines } = await examined({ 'http.listen': `127.0.0.1:${port}` });
    other.close();
    expect([code, bad(lines)]).toEqual([
      1,
      [expect.stringMatching(/^✘ HTTP +Another program listens on.*→ Stop the other program/)],
    ]);
  });
});

test('a part that hangs holds up the others for no more than its time-out', async () => {
  const server = createPlainServer(() => undefined);
  const port = await new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
  const began = clock.monotonicMs();
  const { code, lines } = await examined({ 'livekit.url': `http://127.0.0.1:${port}` });
  expect(clock.monotonicMs() - began).toBeLessThan(15_000);
  server.close();
  expect([code, bad(lines)]).toEqual([1, [expect.stringMatching(/^✘ calls .*did not answer in time/)]]);
}, 60_000);

test('the program ends with 0, 1 or 2', async () => {
  const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
  const run = (file: string): Promise<{ code: number | null; said: string }> =>
    new Promise((resolve) => {
      const child = spawn(process.execPath, [main, 'doctor', '--settings', file], {
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let said = '';
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
      child.once('close', (code) => resolve({ code, said }));
    });
  const write = async (name: string, text: string): Promise<string> => {
    await writeFile(join(directory, name), text, { mode: 0o600 });
    return join(directory, name);
  };
  expect((await run(await write('good.yaml', good))).code).toBe(0);
  expect(
    (await run(await write('bad.yaml', change({ 'matrix.opsRoom': `#none:${world.stack.serverName}` })))).code,
  ).toBe(1);
  const wrong = await run(
    await write('wrong.yaml', change({ matrx: 1, 'synapse.url': 'x', 'matrix.accessToken.file': 'none' })),
  );
  expect(wrong.code).toBe(2);
  for (const problem of ['matrx: is not a known key', 'synapse.url: must be', 'matrix.accessToken: is in'])
    expect(wrong.said).toContain(problem);
}, 60_000);

test('changes nothing: no directory was made, nothing was written', async () => {
  await expect(readFile(join(directory, 'sets'))).rejects.toMatchObject({ code: 'ENOENT' });
  await expect(readFile(join(directory, '.data'))).rejects.toMatchObject({ code: 'ENOENT' });
  await mkdir(join(directory, 'sets'));
  expect(bad((await examined()).lines)).toEqual([]);
});

test('a secret that some error quotes is struck out', async () => {
  const quoted = {
    'postgres.database': 'canary-wrong-secret-of-more-than-32-characters',
    'postgres.scratch': undefined,
  };
  await secret('quoted', 'canary-wrong-secret-of-more-than-32-characters');
  const { lines } = await examined({
    ...quoted,
    'synapse.metricsUrls': undefined,
    'livekit.apiSecret.file': './secrets/quoted',
  });
  expect(lines).toContainEqual(expect.stringMatching(/^✘ PostgreSQL .*database <secret>/));
});

test('no secret was printed by any of this', async () => {
  const names = [
    'matrix-token',
    'synapse-admin-token',
    'livekit-secret',
    'pg-password',
    'webhook-secret',
    'app-db-url',
    'wrong',
    'reader',
  ];
  const secrets = await Promise.all(names.map((name) => secretOf(directory, name)));
  secrets.push(new URL(world.stack.postgres.appUrl).password);
  expect(printed.length).toBeGreaterThan(10_000);
  for (const value of secrets) {
    for (const form of [value, encodeURIComponent(value), Buffer.from(value).toString('base64')])
      expect(printed).not.toContain(form);
  }
});
