import { execFile } from 'node:child_process';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writePrivate } from '#sandbox/state.ts';
import { makeNewcomers, type Newcomer } from '#test/fixtures/newcomers.ts';
import { account, application, insideRooms, whoami } from '#test/fixtures/server-state.ts';
import { TcpGate } from '#test/fixtures/tcp-gate.ts';
import { installMs, OpsRoom } from '#test/ops-room.ts';

// The bot goes on answering while any one part is down, and says what that left.
const run = promisify(execFile);
let world: OpsRoom;
let gate: TcpGate;
let people: Newcomer[];
beforeAll(async () => {
  world = await OpsRoom.open({ parts: ['synapse', 'livekit'] });
  await world.stack.livekit;
  people = await makeNewcomers(world, ['nora', 'otto', 'petra']);
  // The application's database behind a door of its own: in the sandbox it is one server with Synapse's.
  const url = new URL(world.stack.postgres.appUrl);
  gate = await TcpGate.open({ host: url.hostname, port: Number(url.port) });
  url.port = String(gate.port);
  await writePrivate(join(world.stack.dir, 'bot', 'secrets', 'app-gate-url'), url.href);
  const statuses = { active: 'ACTIVE', suspended: 'SUSPENDED', onboarding: 'ONBOARDING' };
  const roster = {
    kind: 'postgres',
    url: { file: './secrets/app-gate-url' },
    users: { table: '"User"', id: 'id', matrixId: 'matrixId', status: 'status', ...statuses },
    memberships: { table: '"ProjectMember"', user: 'userId', project: 'projectId' },
    credentials: { table: '"MatrixCredential"', user: 'userId' },
  };
  await world.startBot({ roster });
}, installMs);
afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
  await gate?.[Symbol.asyncDispose]();
});

/** Whoever is disabled is out of chat, whatever else could not be done. */
async function expectOutOfChat({ userId, token, alone }: Newcomer): Promise<void> {
  expect(await whoami(world.url, token)).toBe(401);
  expect(await account(world, userId)).toMatchObject({ locked: true, suspended: true });
  expect(await insideRooms(world, userId)).toEqual(alone);
}

test('LiveKit down: partial, with what is left and the line that finishes it', async () => {
  const [nora] = people as [Newcomer];
  const livekit = await world.stack.livekit;
  await livekit.stop();
  const partial = await world.order('alice', '!disable nora posting spam');
  expect(partial.mark?.outcome).toBe('partial');
  expect(partial.body).toMatch(/not done: throw out of calls.*LiveKit/);
  await expectOutOfChat(nora);
  expect((await world.ask('alice', '!calls')).mark?.outcome).toBe('failed');
  expect((await world.ask('alice', '!ping')).body).toContain('pong');
  const line = /Finish it.*: (!disable .*)/.exec(partial.body)?.[1] ?? 'no line';
  // Typed while it is still down: calls are still not known to be left, so it is not taken for done.
  expect((await world.order('alice', line)).mark?.outcome).toBe('partial');
  await livekit.start();
  // The ban stands since the first time and throws out whoever is there again.
  expect((await world.ask('alice', line)).body).toContain('nothing is left to do');
});

test('the application down: chat is taken all the same, the rest is left and finished later', async () => {
  const [, otto] = people as [Newcomer, Newcomer];
  await gate.shut();
  const partial = await world.order('alice', '!disable otto posting spam');
  expect(partial.mark?.outcome).toBe('partial');
  expect(partial.body).toMatch(/not done: set the application status/);
  expect(partial.body).toMatch(/not done: remove from projects/);
  await expectOutOfChat(otto);
  expect((await world.ask('alice', '!user otto')).mark?.outcome).toBeDefined();
  expect((await world.ask('alice', '!status')).mark?.outcome).toBe('done');
  expect(await application(world, otto.applicationId)).toMatchObject({ status: 'ACTIVE' });
  await gate.open();
  expect((await world.order('alice', '!disable otto posting spam')).mark?.outcome).toBe('done');
  expect(await application(world, otto.applicationId)).toEqual({ status: 'SUSPENDED', projects: [], credentials: 0 });
});

test('Synapse away for five seconds: what is said after its return is answered', async () => {
  await world.stack.synapse.stop();
  await pause(5000);
  await world.stack.synapse.start();
  const returnedMs = performance.now();
  const answers = await Promise.all(['alice', 'bob', 'carol'].map((who) => world.ask(who, '!ping')));
  expect(answers.map(({ mark }) => mark?.outcome)).toEqual(['done', 'done', 'done']);
  expect(Math.max(...answers.map(({ seenMs }) => seenMs)) - returnedMs).toBeLessThan(20_000);
});

test('the backups’ disk is full: said, nothing left that looks whole, and the bot answers on', async (context) => {
  const directory = join(world.stack.dir, 'bot', 'full');
  await mkdir(directory);
  // 4 MiB hold no dump of Synapse's database.
  const mounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', directory]).then(
    () => true,
    () => false,
  );
  if (!mounted) return context.skip('a small file system can only be mounted by root');
  try {
    await world.startBot({ backups: { directory } });
    const failed = await world.ask('alice', '!backup now');
    expect(failed.mark?.outcome).toBe('failed');
    expect(failed.body).toMatch(/full|room|space|free/i);
    expect(failed.body).toContain(directory);
    expect((await readdir(directory)).filter((name) => !name.startsWith('.'))).toEqual([]);
    expect((await world.ask('alice', '!backup list')).mark?.outcome).toBe('done');
    expect((await world.ask('alice', '!ping')).body).toContain('pong');
  } finally {
    await world.stopBot();
    await run('umount', [directory]);
  }
});
