import { chmod, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BotProcess, type Exit } from '#test/fixtures/bot-process.ts';
import { installMs, OpsRoom } from '#test/ops-room.ts';

// The bot as a process: what it says and how it ends when it can't start as it should.
let world: OpsRoom;
let secrets: string[];
beforeAll(async () => {
  world = await OpsRoom.open({ parts: ['synapse'] });
  const dir = join(world.stack.dir, 'bot', 'secrets');
  const files = await Promise.all((await readdir(dir)).map((name) => readFile(join(dir, name), 'utf8')));
  secrets = files.map((text) => text.trim());
}, installMs);
afterAll(() => world?.[Symbol.asyncDispose]());

/** No stack trace and no secret, whatever happens. */
function expectClean(output: string): void {
  expect(secrets.length).toBeGreaterThan(4);
  expect(output).not.toMatch(/^\s+at .*[:(]\d+/m);
  expect(secrets.filter((secret) => output.includes(secret))).toEqual([]);
}

/** Starts the bot, which has to end by itself. */
async function fail(args: string[]): Promise<Exit & { output: string }> {
  await using bot = new BotProcess(args);
  const exit = await bot.exited;
  expectClean(bot.output);
  return { ...exit, output: bot.output };
}

describe('wrong settings', () => {
  test('a key that is not known, with its line and the nearest one', async () => {
    const file = join(world.stack.dir, 'bot', 'wrong.yaml');
    const text = await readFile(world.files.settingsFile, 'utf8');
    await writeFile(file, text.replace('opsRoom:', 'opsroom:'));
    const { code, output } = await fail(['--settings', file]);
    expect(code).toBe(2);
    expect(output).toMatch(/line \d+, matrix\.opsroom/);
    expect(output).toContain('opsRoom');
  });

  test('no such file', async () => {
    const { code, output } = await fail(['--settings', join(world.stack.dir, 'nothing.yaml')]);
    expect([code, output.includes('there is no such file')]).toEqual([2, true]);
  });

  test('an unknown word and an unknown flag', async () => {
    expect(await fail(['strat'])).toMatchObject({ code: 2 });
    expect(await fail(['--settings'])).toMatchObject({ code: 2 });
  });

  test('a secret that others may read, with the command that mends it', async () => {
    const file = join(world.stack.dir, 'bot', 'secrets', 'matrix-token');
    await chmod(file, 0o644);
    const { code, output } = await fail(['--settings', world.files.settingsFile]);
    await chmod(file, 0o600);
    expect([code, output.includes(`chmod 600 ${file}`)]).toEqual([2, true]);
  });

  test('a token that the homeserver does not know', async () => {
    const file = join(world.stack.dir, 'bot', 'secrets', 'matrix-token');
    const token = await readFile(file, 'utf8');
    await writeFile(file, 'syt_not_a_token\n');
    const { code, output } = await fail(['--settings', world.files.settingsFile]);
    await writeFile(file, token);
    expect(code).toBe(2);
    expect(output).toContain('access token is not accepted');
    expect(output).not.toContain('syt_not_a_token');
  });
});

test('its port is taken', async () => {
  const [host, port] = world.stack.addresses.bot.split(':');
  const stranger = createServer();
  await new Promise<void>((resolve) => stranger.listen(Number(port), host, resolve));
  const { code, output } = await fail(['--settings', world.files.settingsFile]);
  stranger.close();
  expect(code).toBe(2);
  expect(output).toContain(world.stack.addresses.bot);
  expect(output).toContain('http.listen');
});

test('a second one on the same data ends within two seconds', async () => {
  const spawnedMs = performance.now();
  await using first = await world.spawnBot();
  // On a busy machine two seconds pass with the loading of the program alone: then the measure is a start at that moment.
  const startMs = performance.now() - spawnedMs;
  const { code, output, tookMs } = await fail(['--settings', world.files.settingsFile]);
  expect(code).toBe(75);
  expect(output).toContain('Another Opsroom is running');
  expect(tookMs).toBeLessThan(Math.max(2000, 2 * startMs));
  expect(first.running).toBe(true);
  expect((await world.ask('alice', '!ping')).body).toContain('pong');
});

test('the homeserver is dead at the start: it stays, says so, and comes up with it', async () => {
  await world.stack.synapse.stop();
  await using bot = new BotProcess(['--settings', world.files.settingsFile]);
  await bot.said('the homeserver cannot be reached');
  expect(bot.running).toBe(true);
  await world.stack.synapse.start();
  await bot.ready();
  expect((await world.ask('alice', '!ping')).body).toContain('pong');
  bot.signal('SIGTERM');
  expect((await bot.exited).code).toBe(0);
  expectClean(bot.output);
});

test('the homeserver goes and comes back: the process lives, and answers', async () => {
  await using bot = await world.spawnBot();
  await world.stack.synapse.stop();
  await bot.said('the sync is interrupted');
  await world.stack.synapse.start();
  expect((await world.ask('bob', '!ping')).body).toContain('pong');
  expect(bot.running).toBe(true);
  expectClean(bot.output);
});
