import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BotMemory } from '#test/fixtures/bot-memory.ts';
import type { BotProcess } from '#test/fixtures/bot-process.ts';
import { FaultProxy } from '#test/fixtures/fault-proxy.ts';
import { makeNewcomers } from '#test/fixtures/newcomers.ts';
import { ServiceSocket } from '#test/fixtures/service-socket.ts';
import { account } from '#test/fixtures/server-state.ts';
import { installMs, OpsRoom } from '#test/ops-room.ts';

// Asked to stop in the middle of something: finished or noted down within 20 s, and gone on with later.
const stopMs = 20_000;
let world: OpsRoom;
let proxy: FaultProxy;
beforeAll(async () => {
  world = await OpsRoom.open({ parts: ['synapse'] });
  proxy = await FaultProxy.open(world.url);
  const synapse = { url: proxy.url, adminToken: { file: './secrets/synapse-admin-token' } };
  await world.settle({ synapse, livekit: undefined });
}, installMs);
afterAll(async () => {
  await proxy?.[Symbol.asyncDispose]();
  await world?.[Symbol.asyncDispose]();
});

async function stop(bot: BotProcess): Promise<void> {
  const startMs = performance.now();
  bot.signal('SIGTERM');
  expect((await bot.exited).code).toBe(0);
  expect(performance.now() - startMs).toBeLessThan(stopMs);
}
const states = (): string[] => {
  using memory = new BotMemory(world.dataDir);
  return memory.all<{ state: string }>('SELECT state FROM runs ORDER BY id').map(({ state }) => state);
};

test('D4: SIGTERM in the middle of a disable whose homeserver hangs: exit 0 in time, and done after the next start', async () => {
  const [nora] = await makeNewcomers(world, ['nora']);
  let bot = await world.spawnBot();
  try {
    const { command, prompt } = await world.request('alice', '!disable nora posting spam');
    const isAct = ({ method }: { method: string }): boolean => method !== 'GET';
    proxy.rule({ when: isAct, fault: { kind: 'hole' } });
    await world.react('alice', prompt.id, '✅');
    await expect.poll(() => proxy.seen.some(({ fault }) => fault === 'hole')).toBe(true);
    await stop(bot);
    expect(states()).toEqual(['running']);
    proxy.heal();
    bot = await world.spawnBot();
    expect((await world.end(command)).mark?.outcome).toBe('done');
    expect(await account(world, nora!.userId)).toMatchObject({ locked: true, suspended: true });
    await stop(bot);
  } finally {
    await bot[Symbol.asyncDispose]();
  }
}, 120_000);

test('D4: SIGTERM in the middle of a backup: exit 0 in time, nothing half under a final name, told after the next start', async () => {
  let bot = await world.spawnBot();
  try {
    const command = await world.say('alice', '!backup now');
    await expect.poll(() => states().includes('running'), { interval: 20 }).toBe(true);
    await stop(bot);
    const directory = join(world.stack.dir, 'bot', 'backups');
    const sets = (await readdir(directory)).filter((name) => !name.startsWith('.') && !name.includes('partial'));
    for (const set of sets) expect(await readdir(join(directory, set))).toContain('manifest.json');
    bot = await world.spawnBot();
    expect((await world.end(command)).mark?.outcome).toMatch(/done|failed|partial/);
    await stop(bot);
  } finally {
    await bot[Symbol.asyncDispose]();
  }
}, 120_000);

test('D4: cut off five times in a row: one message, and it answers', async () => {
  const before = world.room.events.length;
  for (let n = 0; n < 5; n += 1) {
    const bot = await world.spawnBot();
    await bot.kill();
  }
  await using bot = await world.spawnBot();
  expect((await world.ask('alice', '!ping')).body).toContain('pong');
  await world.room.waitFor(({ body }) => body.includes('cut off and started again'), { what: 'that it was cut off' });
  const own = world.room.events
    .slice(before)
    .filter(({ sender, type }) => sender === world.bot && type === 'm.room.message');
  expect(own.map(({ body }) => body.replace(/\n.*/s, ''))).toEqual(
    expect.arrayContaining([expect.stringContaining('cut off and started again 3 times')]),
  );
  expect(own).toHaveLength(2);
  await stop(bot);
}, 180_000);

test('D4: systemd hears that it is ready, alive and stopping; one that stands still is silent, killed, and answers anew', async () => {
  const unit = await readFile(join(import.meta.dirname, '..', '..', 'config', 'opsroom.service'), 'utf8');
  const setting = (name: string): number => Number(new RegExp(`^${name}=(\\d+)$`, 'm').exec(unit)?.[1]);
  expect(unit).toMatch(/^Type=notify\nNotifyAccess=all$/m);
  // The same bot with a tenth of the patience; the rest of 45 s is for the start.
  expect(setting('WatchdogSec') + setting('RestartSec')).toBeLessThanOrEqual(40);
  const limitSec = setting('WatchdogSec') / 10;
  const directory = await mkdtemp(join(tmpdir(), 'opsroom-unit-'));
  await using systemd = await ServiceSocket.open(directory);
  try {
    await using first = await world.spawnBot(systemd.env(limitSec));
    await systemd.hears('READY=1');
    expect(await systemd.silent(limitSec * 1000, limitSec * 3000)).toBeUndefined();
    first.signal('SIGSTOP');
    expect(await systemd.silent(limitSec * 1000, limitSec * 3000)).toBeGreaterThanOrEqual(limitSec * 1000);
    await first.kill();
    await using second = await world.spawnBot(systemd.env(limitSec));
    expect((await world.ask('alice', '!ping')).body).toContain('pong');
    expect(systemd.heard.filter((what) => what === 'READY=1')).toHaveLength(2);
    expect(systemd.heard).not.toContain('STOPPING=1');
    await stop(second);
    await systemd.hears('STOPPING=1');
    expect(second.output).not.toContain('systemd could not be told');
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}, 120_000);
