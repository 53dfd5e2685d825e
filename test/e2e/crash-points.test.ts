import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import backupNow from '#commands/backup/now.ts';
import deactivate from '#commands/deactivate.ts';
import disable from '#commands/disable.ts';
import type { ChangeCommand } from '#engine/command.ts';
import { BotMemory } from '#test/fixtures/bot-memory.ts';
import { BotProcess } from '#test/fixtures/bot-process.ts';
import { makeNewcomers, type Newcomer, standing, takenOut } from '#test/fixtures/newcomers.ts';
import { installMs, OpsRoom } from '#test/ops-room.ts';

// Killed at the steps of three changes on real parts: in CI before one step and after the next, in the soak at all.
const all = process.env['OPSROOM_KILLS'] !== undefined;
const toldWithinMs = 15_000;
type Cut = { command: string; point: string; line: (name: string) => string; second?: string };
const cutsOf = (command: string, declared: ChangeCommand, line: Cut['line'], second?: string): Cut[] =>
  Object.keys(declared.steps).flatMap((step, at) =>
    ['before', 'after']
      .filter((_, side) => all || at % 2 === side)
      .map((side) => ({ command, point: `${command}.${step}:${side}`, line, ...(second ? { second } : {}) })),
  );
const disables = cutsOf('disable', disable, (name) => `!disable ${name} test of a power cut`, 'carol');
const others = [
  ...cutsOf('deactivate', deactivate, (name) => `!deactivate ${name}`, 'bob'),
  ...cutsOf('backup now', backupNow, () => '!backup now'),
];
// In turn: the process that recovers from one dies of the next, and must not meet that point while it recovers.
const cuts: Cut[] = Array.from({ length: Math.max(disables.length, others.length) }, (_, at) => [
  ...disables.slice(at, at + 1),
  ...others.slice(at, at + 1),
]).flat();

let world: OpsRoom;
let people: Newcomer[];
let bot: BotProcess;
beforeAll(async () => {
  // More changes of one person than anybody makes in an hour.
  world = await OpsRoom.open({ parts: ['synapse', 'livekit'], settings: { limits: { perHour: 1000 } } });
  await world.stack.livekit;
  people = await makeNewcomers(
    world,
    cuts.map((_, nth) => `victim${nth}`),
  );
}, installMs);
afterAll(async () => {
  await bot?.[Symbol.asyncDispose]();
  await world?.[Symbol.asyncDispose]();
});

const spawn = (point = ''): BotProcess =>
  new BotProcess([world.files.settingsFile, point], {}, join(import.meta.dirname, '..', 'fixtures', 'crashing-bot.ts'));

async function sets(): Promise<number> {
  const names = await readdir(join(world.stack.dir, 'bot', 'backups'));
  return names.filter((name) => /^\d{8}T\d{6}Z-\d+$/.test(name)).length;
}

test(
  `A1 A7: killed at ${cuts.length} steps on real parts, each ends exactly once and is told`,
  async () => {
    const wrong: string[] = [];
    bot = spawn(cuts[0]?.point);
    await bot.ready();
    for (const [nth, cut] of cuts.entries()) {
      const person = people[nth]!;
      const want = (what: string, found: unknown, wanted: unknown): void => {
        if (JSON.stringify(found) !== JSON.stringify(wanted))
          wrong.push(`${cut.point}: ${what} is ${JSON.stringify(found)}`);
      };
      const setsBefore = await sets();
      const asker = cut.command === 'deactivate' ? 'alice' : 'carol';
      const command = await world.say(asker, cut.line(person.name));
      if (cut.second !== undefined) {
        const prompt = await world.answer(command);
        await world.react(cut.second, prompt.id, '✅');
      }
      want('the end of the process', (await bot.exited).signal, 'SIGKILL');
      bot = spawn(cuts[nth + 1]?.point);
      await bot.ready();
      const readyMs = performance.now();
      const end = await world.end(command, 120_000);
      const interrupted = cut.command === 'deactivate';
      want('the outcome', end.mark?.outcome, interrupted ? 'partial' : 'done');
      const tookMs = performance.now() - readyMs;
      // A backup is told when it is made; the others within 15 s of the start, unless the machine is busy with others.
      if (cut.command !== 'backup now') want('told in time', tookMs < 3 * toldWithinMs, true);
      using memory = new BotMemory(world.dataDir);
      const runs = memory.all<{ state: string }>('SELECT state FROM runs WHERE key = ?', command);
      want(
        'runs',
        runs.map(({ state }) => state),
        [interrupted ? 'interrupted' : 'done'],
      );
      want('the chain', memory.verifyAudit().ok, true);
      want('locks', memory.count('locks'), 0);
      if (cut.command === 'disable') want('what is left', await standing(world, person), takenOut(person));
      if (cut.command === 'backup now') want('sets made', (await sets()) - setsBefore, 1);
      if (interrupted) want('what it offers', end.body.includes('!run continue r'), true);
    }
    expect(wrong).toEqual([]);
  },
  120_000 + cuts.length * 40_000,
);
