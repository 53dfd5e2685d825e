import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BotProcess } from '#test/fixtures/bot-process.ts';
import { installMs, OpsRoom } from '#test/ops-room.ts';

// One bot acts, however many are started: on the same data, or on a copy of it elsewhere.
const rounds = 4;
const contenders = 6;
let world: OpsRoom;
beforeAll(async () => {
  world = await OpsRoom.open({ parts: ['synapse'], settings: { livekit: undefined } });
}, installMs);
afterAll(() => world?.[Symbol.asyncDispose]());

const start = (): BotProcess => new BotProcess(['--settings', world.files.settingsFile]);
const answersTo = (command: string): number =>
  world.room.events.filter(({ root, mark }) => root === command && mark !== undefined).length;

test('A6: twenty races for the same data: one stays, the others end with 75 and one clear line, and handle nothing', async () => {
  for (let round = 0; round < rounds; round += 1) {
    const bots = Array.from({ length: contenders }, start);
    try {
      const command = await world.say('alice', '!ping');
      const ends = bots.map((bot) => bot.exited.then((exit) => ({ bot, ...exit })));
      const lost: Array<Awaited<(typeof ends)[number]>> = [];
      for (const end of ends) void end.then((one) => lost.push(one));
      await expect.poll(() => lost.length, { timeout: 120_000 }).toBe(contenders - 1);
      const [winner] = bots.filter((bot) => bot.running);
      await winner!.ready();
      for (const { bot, code } of lost) {
        expect(code).toBe(75);
        expect(bot.output.match(/Another Opsroom is running/g)).toHaveLength(1);
        expect(bot.output).not.toContain('the bot is ready');
      }
      // Said while nobody had won yet; the very first start listens only from its own beginning on.
      if (round > 0) await world.answer(command);
      expect((await world.ask('alice', '!ping')).body).toContain('pong');
      if (round > 0) expect(answersTo(command)).toBe(1);
      winner!.signal('SIGTERM');
      expect((await winner!.exited).code).toBe(0);
    } finally {
      await Promise.all(bots.map((bot) => bot[Symbol.asyncDispose]()));
    }
  }
}, 600_000);

test('A6: a copy of the memory on another host: the older one stops and says so, and stays out', async () => {
  const bot = join(world.stack.dir, 'bot');
  await cp(join(bot, 'data'), join(bot, 'copy'), { recursive: true });
  await using older = start();
  await older.ready();
  expect((await world.ask('alice', '!ping')).body).toContain('pong');
  await world.settle({ dataDir: './copy', http: undefined });
  await using newer = start();
  await newer.ready();
  const startMs = performance.now();
  const { code } = await older.exited;
  expect(code).toBe(75);
  // Some 30 s on a quiet machine.
  expect(performance.now() - startMs).toBeLessThan(120_000);
  expect(older.output).toContain('Another copy of this bot took over');
  await world.room.waitFor(({ sender, body }) => sender === world.bot && body.includes('this one stops'), {
    what: 'that it stops',
  });
  const command = await world.say('alice', '!ping');
  expect((await world.answer(command)).body).toContain('pong');
  await world.ask('alice', '!version');
  expect(answersTo(command)).toBe(1);
  expect(newer.running).toBe(true);
  await world.settle({ dataDir: './data', http: undefined });
  await using again = start();
  expect((await again.exited).code).toBe(75);
  expect(again.output).not.toContain('the bot is ready');
  expect(newer.running).toBe(true);
}, 300_000);
