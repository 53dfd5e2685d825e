import { mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { writePrivate } from '#sandbox/state.ts';
import { BotProcess } from '#test/fixtures/bot-process.ts';
import { type Canary, ChildWatch, filesUnder, findCanaries, type Found } from '#test/fixtures/canaries.ts';
import { installMs, OpsRoom } from '#test/ops-room.ts';

// The bot at trace level on real parts, with a secret of its own in each slot, through a tour of what it can do and of what
// can go wrong. Afterwards none of them may stand anywhere that it wrote, said or started.
let world: OpsRoom;
let temp: string;
const outputs: string[] = [];
const metrics: string[] = [];
const children = new Map<string, string>();
const canaries: Canary[] = [];

beforeAll(async () => {
  world = await OpsRoom.open({ parts: ['synapse', 'livekit'] });
  await world.stack.livekit;
  temp = join(world.stack.dir, 'bot', 'tmp');
  await mkdir(temp, { recursive: true });
}, installMs);
afterAll(() => world?.[Symbol.asyncDispose]());

const env = (set: Record<string, string> = {}): Record<string, string> => ({
  TMPDIR: temp,
  OPSROOM_TEST_UNRELATED: 'c4nary-in-the-environment-of-the-host-0042',
  ...set,
});

async function withBot(set: Record<string, string>, tour: (bot: BotProcess) => Promise<void>): Promise<void> {
  const bot = new BotProcess(['--settings', world.files.settingsFile, '--log-level', 'trace'], env(set));
  try {
    await bot.ready();
    const watch = new ChildWatch(bot.pid);
    try {
      await tour(bot);
    } finally {
      await watch[Symbol.asyncDispose]();
      for (const [line, environment] of watch.seen) children.set(line, environment);
    }
    bot.signal('SIGTERM');
    await bot.exited;
  } finally {
    await bot[Symbol.asyncDispose]();
    outputs.push(bot.output);
  }
}

/** The secrets of the settings in force, by the slot they stand in. */
async function keepCanaries(environment: Record<string, string> = {}): Promise<void> {
  const settings: unknown = parse(await readFile(world.files.settingsFile, 'utf8'));
  const walk = async (value: unknown, path: string): Promise<void> => {
    if (typeof value !== 'object' || value === null) return;
    const { file, env: name } = value as { file?: unknown; env?: unknown };
    const text =
      typeof file === 'string'
        ? (await readFile(join(world.stack.dir, 'bot', file), 'utf8')).trim()
        : typeof name === 'string'
          ? environment[name]
          : undefined;
    if (text !== undefined) {
      canaries.push({ name: path, value: text });
      const password = URL.parse(text)?.password;
      if (password) canaries.push({ name: `${path} (password)`, value: password });
    }
    for (const [key, item] of Object.entries(value)) await walk(item, path === '' ? key : `${path}.${key}`);
  };
  await walk(settings, '');
}

/** Types each line and waits for what comes of it; a question is answered with ✅. */
async function take(lines: readonly string[]): Promise<string[]> {
  const said: string[] = [];
  for (const line of lines) {
    const command = await world.say('alice', line);
    const answer = await world.answer(command, 120_000);
    said.push(answer.body);
    if (answer.mark?.kind !== 'prompt') continue;
    await world.react('alice', answer.id, '✅');
    said.push((await world.end(command, 120_000)).body);
  }
  return said;
}

const look = [
  '!whoami',
  '!status',
  '!health',
  '!token status',
  '!users',
  '!user mallory',
  '!calls',
  '!rooms',
  '!checklist',
  '!people',
  '!oncall',
  '!alerts',
  '!pending',
  '!report',
  '!help',
  '!help disable',
  '!version',
];
const wrong = [
  '!user nobody-here',
  '!run r999',
  '!backup show nothing',
  '!backup verify ../../etc/passwd',
  '!users --page 1e3',
  '!disable @nobody:elsewhere.org spam',
  '!nosuchcommand',
  '!call #nowhere',
];

async function post(body: string, authorization: string): Promise<void> {
  const answer = await fetch(world.files.webhookUrl, { method: 'POST', headers: { authorization }, body });
  metrics.push(await answer.text());
}

test('G1: a tour of all that the bot can do, and of what can go wrong', { timeout: 600_000 }, async () => {
  const hook = 'c4nary-Webhook/Secret+0007';
  const known = { alerts: { webhookSecret: { env: 'OPSROOM_TEST_HOOK' } } };
  await world.settle(known);
  await keepCanaries({ OPSROOM_TEST_HOOK: hook });
  const right = new Map(canaries.map(({ name, value }) => [name, value]));
  const { livekit: livekitPart } = world.stack;
  await withBot({ OPSROOM_TEST_HOOK: hook }, async () => {
    const said = await take([...look, ...wrong, '!backup now', '!backup list']);
    expect(said.join('\n')).toContain('verified');
    await take([
      '!disable mallory posting spam',
      '!user mallory',
      '!enable --return mallory',
      '!runs',
      '!run r1',
      '!audit',
      '!pause',
      '!resume',
    ]);
    // Senders that show a wrong secret, and others that put secrets into what they tell.
    await post('{}', 'Bearer c4nary-wrong');
    await post(`{"alerts":[${'['.repeat(100)}`, `Bearer ${hook}`);
    const told = [...right].map(([name, value]) => ({
      labels: { alertname: 'Leaky', name, value },
      annotations: { summary: `${name} is ${value}` },
    }));
    await post(JSON.stringify({ alerts: [...told, 7], groupKey: 'leaky' }), `Bearer ${hook}`);
    await world.room.waitFor(({ body }) => body.includes('Leaky'), { what: 'the alerts that hold secrets' });
    const livekit = await livekitPart;
    await livekit.stop();
    await take(['!calls', '!health', '!check', '!alerts']);
    await livekit.start();
    metrics.push(await (await fetch(new URL('/metrics', world.files.webhookUrl))).text());
    metrics.push(await (await fetch(new URL('/readyz', world.files.webhookUrl))).text());
  });
});

test('G1: a secret pasted into the room is gone from it', { timeout: 300_000 }, async () => {
  await world.settle();
  const token = canaries.find(({ name }) => name === 'synapse.adminToken')?.value ?? '';
  await withBot({}, async () => {
    for (const text of [`is it ${token} ?`, `!user mallory ${token}`]) {
      const pasted = await world.say('bob', text);
      const room = `/_matrix/client/v3/rooms/${encodeURIComponent(world.seeded.opsRoom.roomId)}`;
      const content = async (): Promise<unknown> =>
        (await world.api<{ content: unknown }>('alice', 'GET', `${room}/event/${encodeURIComponent(pasted)}`)).content;
      await expect.poll(content, { timeout: 60_000 }).toEqual({});
    }
    await world.room.waitFor(({ body }) => body.includes('wrote the secret of synapse.adminToken into the room'), {
      what: 'the warning',
    });
    await take(['!audit --act secret']);
  });
});

test('G1: credentials that are wrong, in every slot at once', { timeout: 300_000 }, async () => {
  const secrets = join(world.stack.dir, 'bot', 'secrets');
  const slot = async (name: string, value: string): Promise<{ file: string }> => {
    await writePrivate(join(secrets, name), `${value}\n`);
    return { file: `./secrets/${name}` };
  };
  const current = parse(await readFile(world.files.settingsFile, 'utf8')) as Record<string, Record<string, unknown>>;
  const url = new URL(world.stack.postgres.appUrl);
  url.password = 'c4nary-App-Password-0005';
  await world.settle({
    matrix: { ...current['matrix'], password: await slot('bad-password', 'c4nary-Bot-Password-0006') },
    synapse: {
      ...current['synapse'],
      adminToken: await slot('bad-admin', 'syt_Y2FuYXJ5_c4naryAdminToken0001_0Aa1Bb'),
      registrationSharedSecret: await slot('bad-shared', 'c4nary-Shared-Secret-0008'),
    },
    livekit: { ...current['livekit'], apiSecret: await slot('bad-livekit', 'c4nary-LiveKit-Secret-of-32-signs-0002') },
    postgres: { ...current['postgres'], password: await slot('bad-pg', 'c4nary-Postgres-Password-0003') },
    roster: { ...current['roster'], url: await slot('bad-roster', url.href) },
    alerts: {
      ...current['alerts'],
      webhookSecret: await slot('bad-hook', 'c4nary-Hook-Secret-0004'),
      fallback: [
        {
          webhook: {
            url: await slot('bad-way', 'http://127.0.0.1:9/c4nary-way-0009'),
            secret: await slot('bad-way-secret', 'c4nary-Way-Secret-0010'),
          },
        },
      ],
    },
  });
  await keepCanaries();
  await withBot({}, async () => {
    const said = await take([
      '!health',
      '!token status',
      '!users',
      '!user mallory',
      '!calls',
      '!backup now',
      '!status',
    ]);
    expect(said.join('\n')).toMatch(/not accepted|refuses|not let in/);
  });
  for (const args of [['doctor'], ['mend', '--dry-run']]) {
    await using tool = new BotProcess([...args, '--settings', world.files.settingsFile], env());
    await tool.exited;
    expect(tool.output).not.toBe('');
    outputs.push(tool.output);
  }
});

test(
  'G1: 0 hits in logs, room, memory, metrics, temporary files, children and backups',
  { timeout: 300_000 },
  async () => {
    const dir = join(world.stack.dir, 'bot');
    const hits: Found[] = [];
    const names = new Set(canaries.map(({ name }) => name));
    expect([...names]).toEqual(
      expect.arrayContaining([
        'matrix.accessToken',
        'matrix.password',
        'synapse.registrationSharedSecret',
        'alerts.fallback.0.webhook.url',
        'alerts.fallback.0.webhook.secret',
        'synapse.adminToken',
        'livekit.apiSecret',
        'roster.url (password)',
        'postgres.password',
        'alerts.webhookSecret',
      ]),
    );
    // All but the slots themselves, and the dumps, which hold the homeserver's own database.
    const files = await filesUnder(
      dir,
      (path) => path.startsWith(join(dir, 'secrets')) || /\.(dump|zst|pgdump)$/.test(path),
    );
    expect(files.map((path) => path.slice(dir.length + 1))).toEqual(expect.arrayContaining(['data/opsroom.db']));
    expect(files.some((path) => path.endsWith('manifest.json'))).toBe(true);
    for (const path of files) hits.push(...findCanaries(path, await readFile(path), canaries));
    const events = await wholeRoom();
    expect(events).toContain('org.opsroom');
    hits.push(...findCanaries('the room', events, canaries));
    for (const [at, text] of outputs.entries()) hits.push(...findCanaries(`the output of bot ${at}`, text, canaries));
    expect(outputs).toHaveLength(5);
    hits.push(...findCanaries('what HTTP answered', metrics.join('\n'), canaries));
    expect([...children.keys()].some((line) => line.includes('pg_dump'))).toBe(true);
    const unrelated = { name: 'the environment', value: 'c4nary-in-the-environment-of-the-host-0042' };
    for (const [line, environment] of children)
      hits.push(...findCanaries(line, `${line}\n${environment}`, [...canaries, unrelated]));
    for (const path of await filesUnder(join(world.stack.dir, 'logs')))
      hits.push(...findCanaries(path, await readFile(path), canaries));
    const mode = (await stat(join(dir, 'data'))).mode & 0o777;
    expect(mode).toBe(0o700);
    expect(hits).toEqual([]);
  },
);

/** All that was said in the room, as a member gets it. */
async function wholeRoom(): Promise<string> {
  const room = `/_matrix/client/v3/rooms/${encodeURIComponent(world.seeded.opsRoom.roomId)}/messages`;
  const pages: string[] = [];
  let from = '';
  for (let page = 0; page < 100; page += 1) {
    const query = new URLSearchParams({ dir: 'b', limit: '200', ...(from === '' ? {} : { from }) });
    const answer = await world.api<{ chunk: unknown[]; end?: string }>('alice', 'GET', `${room}?${query.toString()}`);
    pages.push(JSON.stringify(answer.chunk));
    if (answer.end === undefined || answer.chunk.length === 0) break;
    from = answer.end;
  }
  return pages.join('\n');
}
