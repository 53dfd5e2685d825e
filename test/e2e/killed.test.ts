import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import disable from '#commands/disable.ts';
import { BotMemory } from '#test/fixtures/bot-memory.ts';
import type { BotProcess } from '#test/fixtures/bot-process.ts';
import { makeNewcomers, type Newcomer, standing, takenOut } from '#test/fixtures/newcomers.ts';
import { installMs, OpsRoom } from '#test/ops-room.ts';

// SIGKILL at a random moment of a disable: after the restart it ends, once.
const kills = Number(process.env['OPSROOM_KILLS'] ?? 10);
const steps = Object.keys(disable.steps);
let world: OpsRoom;
let people: Newcomer[];
let bot: BotProcess;
beforeAll(async () => {
  world = await OpsRoom.open({ parts: ['synapse', 'livekit'] });
  await world.stack.livekit;
  people = await makeNewcomers(
    world,
    Array.from({ length: kills }, (_, n) => `target${n}`),
  );
  bot = await world.spawnBot();
}, installMs);
afterAll(async () => {
  await bot?.[Symbol.asyncDispose]();
  await world?.[Symbol.asyncDispose]();
});

/** How far the bot's memory says it is: a state of the run, or while it runs the step that was begun last. */
function reached(command: string): { state: string; step: number } {
  using memory = new BotMemory(world.dataDir);
  const [run] = memory.all<{ id: number; state: string }>('SELECT id, state FROM runs WHERE key = ?', command);
  const begun = run ? memory.all<{ key: string }>('SELECT key FROM steps WHERE run = ?', run.id) : [];
  return { state: run?.state ?? 'nothing', step: Math.max(-1, ...begun.map(({ key }) => steps.indexOf(key))) };
}

/** A moment after the yes that no clock hits on a machine of any speed: right after this step was begun. */
async function untilStep(command: string, step: number): Promise<void> {
  const isThere = (): boolean => {
    const { state, step: now } = reached(command);
    return now >= step || !['waiting', 'running'].includes(state);
  };
  const endMs = performance.now() + 20_000;
  while (!isThere() && performance.now() < endMs) await pause(2);
}

/** Types a disable and kills the bot somewhere between that and its end. Gives the command, and where it was. */
async function cutOff(person: Newcomer, nth: number): Promise<{ command: string; at: string }> {
  const line = `!disable ${person.name} test of a power cut`;
  let command: string;
  if (nth % 5 === 4) {
    // Before it is asked about.
    command = await world.say('alice', line);
    await pause(Math.random() * 300);
    await bot.kill();
  } else {
    const asked = await world.request('alice', line);
    command = asked.command;
    await world.react('alice', asked.prompt.id, '✅');
    await (nth % 2 === 1 ? untilStep(command, Math.floor(Math.random() * steps.length)) : pause(Math.random() * 1500));
    await bot.kill();
  }
  const { state, step } = reached(command);
  return { command, at: state === 'running' ? (steps[step] ?? 'begun') : state };
}

/** What is not as it should be after one disable, in words; nothing when all is well. */
async function faults(command: string, person: Newcomer): Promise<string[]> {
  const wrong: string[] = [];
  const want = (what: string, found: unknown, wanted: unknown): void => {
    if (JSON.stringify(found) !== JSON.stringify(wanted))
      wrong.push(`${person.name}: ${what} is ${JSON.stringify(found)}`);
  };
  using memory = new BotMemory(world.dataDir);
  const runs = memory.all<{ id: number; state: string }>('SELECT id, state FROM runs WHERE key = ?', command);
  want(
    'runs',
    runs.map(({ state }) => state),
    ['done'],
  );
  const run = runs[0]?.id ?? 0;
  const audit = memory.all<{ outcome: string }>('SELECT outcome FROM audit WHERE run = ? ORDER BY seq', run);
  want(
    'the audit',
    audit.map(({ outcome }) => outcome),
    ['asked', 'granted', 'begun', 'done'],
  );
  want('the chain', memory.verifyAudit().ok, true);
  want('locks', memory.count('locks WHERE run = ?', run), 0);
  want('what is left', await standing(world, person), takenOut(person));
  const said = world.room.events.filter(({ sender, root }) => sender === world.bot && root === command);
  want('questions', said.filter(({ mark }) => mark?.kind === 'prompt').length, 1);
  want(
    'results',
    said.filter(({ mark }) => mark?.kind === 'reply' && mark.outcome !== 'waiting').map(({ mark }) => mark?.outcome),
    ['done'],
  );
  const redacted = new Set(world.room.events.flatMap(({ redacts }) => redacts ?? []));
  const marks = world.room.events.filter(
    ({ id, sender, reaction }) => sender === world.bot && reaction?.on === command && !redacted.has(id),
  );
  want(
    'marks on the command',
    marks.map(({ reaction }) => reaction?.emoji),
    ['✅'],
  );
  return wrong;
}

test(
  `A2: ${kills} of ${kills} disables end exactly once`,
  async () => {
    const moments: string[] = [];
    const wrong: string[] = [];
    for (const [nth, person] of people.entries()) {
      const { command, at } = await cutOff(person, nth);
      moments.push(at);
      bot = await world.spawnBot();
      if (nth % 5 === 4) await world.react('alice', (await world.answer(command)).id, '✅');
      await world.end(command);
      await world.room.waitFor(({ reaction }) => reaction?.on === command && reaction.emoji === '✅', {
        what: 'the mark',
      });
      // All that the bot had to say is in the room once it has nothing left to say.
      await expect.poll(() => pending(), { timeout: 30_000, interval: 100 }).toBe(0);
      wrong.push(...(await faults(command, person)));
    }
    // Nothing is done again by a later start.
    await world.ask('alice', '!ping');
    const results = world.room.events.filter(
      ({ mark }) => mark?.command === 'disable' && mark.kind === 'reply' && mark.outcome !== 'waiting',
    );
    expect(results).toHaveLength(kills);
    const tally = Map.groupBy(moments, (at) => at);
    console.log(`killed at: ${[...tally].map(([at, { length }]) => `${at} ${length}`).join(', ')}`);
    expect(wrong).toEqual([]);
  },
  60_000 + kills * 30_000,
);

function pending(): number {
  using memory = new BotMemory(world.dataDir);
  return memory.count(`outbox WHERE state = 'pending'`);
}
