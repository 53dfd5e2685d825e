import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BotProcess } from '#test/fixtures/bot-process.ts';
import { installMs, OpsRoom } from '#test/ops-room.ts';

// Many commands at once: each is answered, and once, whatever happens to the bot meanwhile.
const people = ['alice', 'bob', 'carol'];
const lines = ['!ping', '!whoami', '!version', '!people', '!pending', '!help disable', '!user mallory', '!runs'];
/** More than a sync shows at once: the rest has to be fetched from behind. */
const overLimit = 130;
let world: OpsRoom;
let bot: BotProcess;
beforeAll(async () => {
  world = await OpsRoom.open({ parts: ['synapse'] });
  bot = await world.spawnBot();
}, installMs);
afterAll(async () => {
  await bot?.[Symbol.asyncDispose]();
  await world?.[Symbol.asyncDispose]();
});

/** Types all of them at the same time. Gives their events. */
const burst = (count: number): Promise<string[]> =>
  Promise.all(Array.from({ length: count }, (_, n) => world.say(people[n % people.length]!, lines[n % lines.length]!)));

/** How often each was answered, as a histogram: `{ 1: 100 }` is what it should be. */
async function answers(commands: readonly string[]): Promise<Record<number, number>> {
  for (const command of commands) await world.answer(command, 120_000);
  // Whatever came twice came before the answer to this one, or with it.
  await world.ask('alice', '!ping');
  await pause(500);
  const counts: Record<number, number> = {};
  for (const command of commands) {
    const said = world.room.events.filter(
      ({ sender, root, type }) => sender === world.bot && root === command && type === 'm.room.message',
    );
    counts[said.length] = (counts[said.length] ?? 0) + 1;
  }
  return counts;
}

test('100 commands at once', async () => {
  const begunMs = performance.now();
  const commands = await burst(100);
  const saidMs = performance.now();
  expect(await answers(commands)).toEqual({ 1: 100 });
  console.log(
    '100 at once: typed in',
    Math.round(saidMs - begunMs),
    'ms, answered in',
    Math.round(performance.now() - begunMs),
    'ms',
  );
}, 180_000);

test('more than the sync shows at once', async () => {
  bot.signal('SIGSTOP');
  const commands = await burst(overLimit);
  bot.signal('SIGCONT');
  expect(await answers(commands)).toEqual({ 1: overLimit });
}, 180_000);

test('said while the bot was down', async () => {
  await bot.kill();
  const commands = await burst(overLimit);
  bot = await world.spawnBot();
  expect(await answers(commands)).toEqual({ 1: overLimit });
}, 180_000);

test('with the bot killed in the middle of answering', async () => {
  const commands = await burst(100);
  await world.answer(commands[0]!);
  await bot.kill();
  bot = await world.spawnBot();
  expect(await answers(commands)).toEqual({ 1: 100 });
}, 180_000);
