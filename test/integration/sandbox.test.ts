import { execFile, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { connect, createServer as createTcpServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startCall } from '#sandbox/call.ts';
import { exists, installOnce, type InstallContext } from '#sandbox/install/cache.ts';
import { claimPorts } from '#sandbox/ports.ts';
import { seed, type Seeded } from '#sandbox/seed.ts';
import { openStack, type Stack } from '#sandbox/stack.ts';
import { call, register } from '#sandbox/synapse-client.ts';
import { halfSeededFile } from '#sandbox/template.ts';

/** The first run on a machine installs and builds; LiveKit alone takes minutes then. */
const installMs = 600_000;
const silent = () => undefined;
let root = '';

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'opsroom-sandbox-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

describe('a seeded stack', () => {
  let stack: Stack;
  let seeded: Seeded;
  beforeAll(async () => {
    stack = await openStack({ dir: join(root, 'main'), log: silent, seeded: true });
    seeded = await seed(stack, silent);
    await Promise.all([stack.livekit, stack.prometheus, stack.alertmanager]);
  }, installMs);
  afterAll(() => stack[Symbol.asyncDispose]());

  test('every part is ready and its secrets are private', async () => {
    const states = stack.status().map(({ part, state }) => `${part} ${state}`);
    const all = ['alertmanager ready', 'livekit ready', 'postgres ready', 'prometheus ready', 'synapse ready'];
    expect(states.sort()).toEqual(all);
    for (const file of ['stack.json', 'seeded.json', 'synapse/homeserver.yaml', 'livekit/livekit.yaml']) {
      expect([file, (await stat(join(stack.dir, file))).mode.toString(8)]).toEqual([file, '100600']);
    }
  });

  test('looks lived in', async () => {
    const { url, adminToken } = stack.synapse;
    const users = await call<{ total: number }>(url, 'GET', '/_synapse/admin/v2/users?limit=1', adminToken);
    const rooms = await call<{ total_rooms: number }>(url, 'GET', '/_synapse/admin/v1/rooms?limit=1', adminToken);
    expect(users.total).toBeGreaterThanOrEqual(32);
    expect(rooms.total_rooms).toBe(12 + 6 + 1);
    const user = (id: string) =>
      call<Record<string, unknown>>(url, 'GET', `/_synapse/admin/v2/users/${encodeURIComponent(id)}`, adminToken);
    expect(await user(seeded.suspendedUserId)).toMatchObject({ suspended: true });
    expect(await user(seeded.ghostUserId)).toMatchObject({ appservice_id: 'telegram' });
    const mallory = encodeURIComponent(seeded.people['mallory']!.userId);
    const joined = await call<{ total: number }>(
      url,
      'GET',
      `/_synapse/admin/v1/users/${mallory}/joined_rooms`,
      adminToken,
    );
    expect(joined.total).toBeGreaterThanOrEqual(8);
    const devices = await call<{ total: number }>(
      url,
      'GET',
      `/_synapse/admin/v2/users/${mallory}/devices`,
      adminToken,
    );
    expect(devices.total).toBe(2);
    const projects = await stack.sql('app', [`SELECT count(*) FROM "ProjectMember" WHERE "userId" = 'usr_mallory';`]);
    expect(projects.trim()).toBe('3');
    const members = await call<{ joined: Record<string, unknown> }>(
      url,
      'GET',
      `/_matrix/client/v3/rooms/${encodeURIComponent(seeded.opsRoom.roomId)}/joined_members`,
      seeded.bot.token,
    );
    expect(Object.keys(members.joined).sort()).toEqual(
      ['alice', 'bob', 'carol', 'opsroom'].map((name) => `@${name}:${stack.serverName}`),
    );
  });

  test('seeding again finds it done', async () => {
    const lines: string[] = [];
    expect(await seed(stack, (line) => lines.push(line))).toEqual(seeded);
    expect(lines).toEqual([]);
  });

  test('a call of three, out of process, that ends with its handle', async () => {
    const livekit = await stack.livekit;
    const [first = ''] = seeded.call.identities;
    const talk = await startCall(livekit, seeded.call.roomId, seeded.call.identities);
    expect(await talk.list()).toEqual([...seeded.call.identities].sort());
    await talk.leave(first);
    expect(await talk.list()).not.toContain(first);
    await talk.join(first);
    expect(await talk.list()).toContain(first);
    await talk[Symbol.asyncDispose]();
    expect(isAlive(talk.pid)).toBe(false);
  }, 60_000);

  test('a rule of Prometheus reaches the webhook through Alertmanager', async () => {
    const [prometheus, alertmanager] = await Promise.all([stack.prometheus, stack.alertmanager]);
    const received = Promise.withResolvers<{ authorization: string | undefined; body: string }>();
    const receiver = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        response.end();
        received.resolve({ authorization: request.headers.authorization, body });
      });
    });
    await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
    const { port } = receiver.address() as AddressInfo;
    await alertmanager.setWebhook(`http://127.0.0.1:${port}/hooks/alertmanager`, 'a secret');
    const rule = { alert: 'SynapseIsScraped', expr: 'up{job="synapse"} == 1', labels: { severity: 'critical' } };
    await writeFile(prometheus.rulesFile, JSON.stringify({ groups: [{ name: 'test', rules: [rule] }] }));
    await prometheus.reload();
    const { authorization, body } = await received.promise;
    receiver.close();
    expect(authorization).toBe('Bearer a secret');
    expect(JSON.parse(body)).toMatchObject({ status: 'firing', groupLabels: { alertname: 'SynapseIsScraped' } });
  }, 30_000);

  test('a part is stopped and started again', async () => {
    const { synapse, postgres } = stack;
    const pid = synapse.pid;
    await synapse.stop();
    expect(isAlive(pid)).toBe(false);
    await postgres.stop();
    await postgres.start();
    await synapse.start();
    expect(stack.synapse.pid).not.toBe(pid);
    await call(synapse.url, 'GET', '/_matrix/client/v3/account/whoami', seeded.bot.token);
  }, 60_000);
});

describe('run directories', () => {
  test(
    'two stacks at once; a directory that is in use is refused; one that was left is used again',
    async () => {
      const options = (name: string) => ({ dir: join(root, name), log: silent, parts: ['synapse'] as const });
      const [one, two] = await Promise.all([openStack(options('one')), openStack(options('two'))]);
      try {
        const urls = [one.synapse.url, two.synapse.url, one.synapse.metricsUrl, two.synapse.metricsUrl];
        expect(new Set(urls).size).toBe(4);
        await expect(openStack(options('one'))).rejects.toMatchObject({ kind: 'held' });
        await register(one.synapse.url, one.synapse.registrationSharedSecret, { username: 'kept', password: 'secret' });
        const kept = `/_synapse/admin/v2/users/${encodeURIComponent('@kept:opsroom.test')}`;
        await expect(call(two.synapse.url, 'GET', kept, two.synapse.adminToken)).rejects.toThrow('404');
        await expect(one.livekit).rejects.toMatchObject({ kind: 'misconfigured' });
        const before = { url: one.synapse.url, token: one.synapse.adminToken };
        await one[Symbol.asyncDispose]();
        await using again = await openStack(options('one'));
        expect({ url: again.synapse.url, token: again.synapse.adminToken }).toEqual(before);
        expect(await call(again.synapse.url, 'GET', kept, again.synapse.adminToken)).toMatchObject({ locked: false });
      } finally {
        await Promise.all([one[Symbol.asyncDispose](), two[Symbol.asyncDispose]()]);
      }
    },
    installMs,
  );

  test('a port that somebody else took meanwhile is replaced', async () => {
    const first = await claimPorts();
    const remembered = { base: first.base, map: { ...first.map } };
    const other = await claimPorts(remembered);
    expect(other.base).not.toBe(first.base);
    await Promise.all([first[Symbol.asyncDispose](), other[Symbol.asyncDispose]()]);
    const stranger = createTcpServer();
    await new Promise<void>((resolve) => stranger.listen(remembered.map.synapse, '127.0.0.1', resolve));
    await using again = await claimPorts(remembered);
    expect(again.base).toBe(remembered.base);
    expect(again.map.synapse).not.toBe(remembered.map.synapse);
    expect(again.map.postgres).toBe(remembered.map.postgres);
    stranger.close();
  });

  test(
    'a stack that is cancelled while it opens leaves nothing',
    async () => {
      const stop = new AbortController();
      const dir = join(root, 'cancelled');
      const opening = openStack({
        dir,
        log: (line) => line.startsWith('postgres ready') && stop.abort(),
        signal: stop.signal,
      });
      await expect(opening).rejects.toMatchObject({ kind: 'cancelled' });
      const pid = Number(
        (await readFile(join(dir, 'postgres', 'postmaster.pid'), 'utf8').catch(() => '0')).split('\n')[0],
      );
      expect(pid).toBe(0);
      expect(await processesOf(dir)).toEqual([]);
    },
    installMs,
  );

  test(
    'a place that was half furnished is made anew',
    async () => {
      const dir = join(root, 'half');
      const options = { dir, log: silent, parts: ['synapse'] as const };
      {
        await using stack = await openStack(options);
        await register(stack.synapse.url, stack.synapse.registrationSharedSecret, { username: 'bob', password: 'x' });
        await writeFile(join(dir, halfSeededFile), '');
        await expect(seed(stack, silent)).rejects.toMatchObject({ kind: 'conflict' });
      }
      await using stack = await openStack({ ...options, seeded: true });
      const seeded = await seed(stack, silent);
      const whoami = await call(
        stack.synapse.url,
        'GET',
        '/_matrix/client/v3/account/whoami',
        seeded.people['bob']!.token,
      );
      expect(whoami).toMatchObject({ user_id: '@bob:opsroom.test' });
    },
    installMs,
  );
});

test(
  'nothing outlives a parent that is killed',
  async () => {
    const dir = join(root, 'killed');
    const code = `
    const { openStack } = await import('#sandbox/stack.ts');
    const { startCall } = await import('#sandbox/call.ts');
    const stack = await openStack({ dir: process.env.DIR, log: () => undefined });
    const [livekit] = await Promise.all([stack.livekit, stack.prometheus, stack.alertmanager]);
    const call = await startCall(livekit, '!room', ['@mallory:opsroom.test:PHONE']);
    console.log(JSON.stringify({ pids: [livekit.pid, stack.synapse.pid, stack.postgres.pid, call.pid] }));
    process.stdin.resume().on('end', () => process.exit());`;
    const parent = spawn(process.execPath, ['--no-warnings', '--input-type=module', '-e', code], {
      cwd: join(import.meta.dirname, '..', '..'),
      env: { ...process.env, DIR: dir, NODE_OPTIONS: '' },
      // Its standard input ends with this process, and it with that, should the test itself be cut off.
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    try {
      const { value } = await createInterface(parent.stdout)[Symbol.asyncIterator]().next();
      const { pids } = JSON.parse(value as string) as { pids: number[] };
      const state = JSON.parse(await readFile(join(dir, 'stack.json'), 'utf8')) as {
        ports: { map: Record<string, number> };
      };
      const { livekitUdp: _udp, bot: _bot, ...tcp } = state.ports.map;
      expect(await openPorts(tcp)).toEqual(Object.keys(tcp).sort());
      expect(pids.every(isAlive)).toBe(true);

      parent.kill('SIGKILL');
      await expect.poll(() => openPorts(tcp), { timeout: 5000, interval: 50 }).toEqual([]);
      await expect.poll(() => processesOf(dir), { timeout: 1000 }).toEqual([]);
      expect(pids.filter(isAlive)).toEqual([]);
    } finally {
      // Else a failure before the kill would leave all of it running.
      parent.kill('SIGKILL');
    }

    // And the next one on the same directory works.
    await using again = await openStack({ dir, log: silent, parts: ['synapse'] });
    await call(again.synapse.url, 'GET', '/_synapse/admin/v1/server_version');
  },
  installMs,
);

describe('an install', () => {
  const context = (cacheDir: string): InstallContext => ({
    cacheDir,
    logDir: cacheDir,
    log: silent,
    signal: new AbortController().signal,
  });

  test('that was cut off half-way is repeated from nothing', async () => {
    const cacheDir = join(root, 'cache');
    await mkdir(join(cacheDir, 'thing-1'), { recursive: true });
    await writeFile(join(cacheDir, 'thing-1', 'half'), '');
    const dir = await installOnce(context(cacheDir), 'thing-1', async (target) => {
      await writeFile(join(target, 'whole'), '');
      return 'note';
    });
    expect([await exists(join(dir, 'half')), await exists(join(dir, 'whole'))]).toEqual([false, true]);
    const failing = () => Promise.reject(new Error('must not run'));
    expect(await installOnce(context(cacheDir), 'thing-1', failing)).toBe(dir);
  });

  test('that failed is not taken for a whole one', async () => {
    const cacheDir = join(root, 'cache');
    const failing = installOnce(context(cacheDir), 'thing-2', () => Promise.reject(new Error('no network')));
    await expect(failing).rejects.toThrow('no network');
    let builds = 0;
    await installOnce(context(cacheDir), 'thing-2', async () => `${(builds += 1)}`);
    expect(builds).toBe(1);
  });

  test('is done once by two that want it at once', async () => {
    const cacheDir = join(root, 'cache');
    let builds = 0;
    const build = async () => {
      builds += 1;
      await new Promise((resolve) => setTimeout(resolve, 300));
      return 'note';
    };
    const both = [installOnce(context(cacheDir), 'thing-3', build), installOnce(context(cacheDir), 'thing-3', build)];
    const [one, two] = await Promise.all(both);
    expect([one === two, builds]).toEqual([true, 1]);
  });

  test('says the exact command when a program is missing, and the rest goes on', async () => {
    const code = `
      const { openStack } = await import('#sandbox/stack.ts');
      const stack = await openStack({ dir: process.env.DIR, log: () => undefined, parts: ['livekit'] });
      await stack.livekit.catch(() => undefined);
      console.log(JSON.stringify(stack.status()));
      await stack[Symbol.asyncDispose]();`;
    const bare = join(root, 'bare-path');
    await mkdir(bare);
    const setpriv = (await run('/bin/sh', ['-c', 'command -v setpriv'])).trim();
    await run('ln', ['-s', setpriv, join(bare, 'setpriv')]);
    const env = { PATH: bare, HOME: join(root, 'no-home'), DIR: join(root, 'bare') };
    const out = await run(process.execPath, ['--no-warnings', '--input-type=module', '-e', code], env);
    const [livekit] = JSON.parse(out) as { state: string; note: string }[];
    expect(livekit).toMatchObject({ state: 'missing' });
    expect(livekit?.note).toContain('Mend it with: curl -fsSL https://go.dev/dl/');
  }, 30_000);
});

function run(command: string, args: string[], env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const cwd = join(import.meta.dirname, '..', '..');
  return new Promise((resolve, reject) => {
    execFile(command, args, { env, cwd }, (error, stdout, stderr) =>
      error ? reject(new Error(`${error.message}\n${stderr}`)) : resolve(stdout),
    );
  });
}

/** A zombie, which waits only to be reaped by whoever adopted it, is dead. */
function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

/** Command lines that name the directory, but for those of this process. */
async function processesOf(dir: string): Promise<string[]> {
  const lines = await run('/bin/sh', ['-c', `cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '`]);
  return lines.split('\n').filter((line) => line.includes(`${dir}/`));
}

async function openPorts(ports: Record<string, number>): Promise<string[]> {
  const open = await Promise.all(
    Object.entries(ports).map(async ([name, port]) => ((await accepts(port)) ? [name] : [])),
  );
  return open.flat().sort();
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
