import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openLog } from '#adapters/system/log.ts';
import { SystemClock } from '#adapters/system/clock.ts';
import { openApp } from '#src/app.ts';
import { loadSettings } from '#src/settings.ts';
import { BotMemory } from '#test/fixtures/bot-memory.ts';
import { FaultProxy } from '#test/fixtures/fault-proxy.ts';
import { installMs, OpsRoom } from '#test/ops-room.ts';

// What is typed while nobody listens: a sync shows ten events and the rest is fetched from behind.
const shownBySync = 10;
const chatter = 230;
const minute = 60_000;

/** The machine's clock, so much later: as if the bot had been away that long. */
class LaterClock extends SystemClock {
  readonly #laterMs: number;

  constructor(laterMs: number) {
    super();
    this.#laterMs = laterMs;
  }

  override now(): number {
    return super.now() + this.#laterMs;
  }
}

let world: OpsRoom;
let proxy: FaultProxy;
beforeAll(async () => {
  world = await OpsRoom.open({ parts: ['synapse'] });
  proxy = await FaultProxy.open(world.url);
  proxy.syncs.limit(shownBySync);
  const { settingsFile } = world.files;
  const settings = readFileSync(settingsFile, 'utf8');
  writeFileSync(settingsFile, settings.replace(/homeserverUrl: \S+/, `homeserverUrl: ${proxy.url}`));
}, installMs);
afterAll(async () => {
  await proxy?.[Symbol.asyncDispose]();
  await world?.[Symbol.asyncDispose]();
});

const startBot = (laterMs: number): Promise<AsyncDisposable> =>
  openApp(loadSettings({ file: world.files.settingsFile }), {
    clock: new LaterClock(laterMs),
    log: openLog({ level: 'error', format: 'json', write: () => {} }),
  });

/** Talk, with these lines spread over it, first and last among them. Gives the events of the lines. */
async function typeAway(lines: readonly string[]): Promise<string[]> {
  const keys: string[] = [];
  const every = Math.floor(chatter / (lines.length - 1));
  for (const [at, line] of lines.entries()) {
    keys.push(await world.say('carol', line));
    if (at === lines.length - 1) break;
    await Promise.all(
      Array.from({ length: every }, (_, n) => world.say(n % 2 === 0 ? 'alice' : 'bob', `chatter ${n}`)),
    );
  }
  return keys;
}

test('A4: of 500 messages typed while it was down each command is seen once; late changes are asked about or listed', async () => {
  const first = await startBot(0);
  await world.ask('alice', '!ping');
  await first[Symbol.asyncDispose]();

  const early = await typeAway(['!disable mallory spam', '!ping', '!whoami', '!ping', '!pause moving house']);
  const second = await startBot(5 * minute);
  try {
    for (const key of early.slice(1, 4)) expect((await world.answer(key, 120_000)).mark?.outcome).toBe('done');
    for (const key of [early[0]!, early[4]!]) {
      const asked = await world.answer(key, 120_000);
      expect(asked.mark?.kind, asked.body).toBe('prompt');
      expect(asked.body).toMatch(/^I was down when this was typed, 5 min( \d+ s)? ago\. Run it now\?/);
    }
  } finally {
    await second[Symbol.asyncDispose]();
  }

  const late = await typeAway(['!disable bob spam', '!ping', '!pause again', '!ping', '!disable mallory again']);
  const third = await startBot(25 * minute);
  try {
    for (const key of [late[1]!, late[3]!]) expect((await world.answer(key, 120_000)).mark?.outcome).toBe('done');
    const list = await world.room.waitFor(
      ({ sender, mark, body }) => sender === world.bot && mark?.kind === 'notice' && body.includes('too old to run'),
      { what: 'the list', withinMs: 120_000 },
    );
    expect(list.body).toContain('3 changes were typed');
    for (const line of ['!disable bob spam', '!pause again', '!disable mallory again'])
      expect(list.body).toContain(line);
    await world.ask('alice', '!ping');
  } finally {
    await third[Symbol.asyncDispose]();
  }

  using memory = new BotMemory(world.dataDir);
  const taken = memory.all<{ key: string }>('SELECT key FROM inbox').map(({ key }) => key);
  for (const key of [...early, ...late]) expect(taken.filter((one) => one === key)).toHaveLength(1);
  // Nobody said yes, and nothing else became a run.
  const states = memory.all<{ state: string }>('SELECT state FROM runs').map(({ state }) => state);
  expect(states).toEqual(['expired', 'expired']);
  expect(
    world.room.events.filter(
      ({ sender, mark, body }) => sender === world.bot && mark?.kind === 'notice' && body.includes('too old to run'),
    ),
  ).toHaveLength(1);
  for (const key of [...early, ...late]) {
    const said = world.room.events.filter(
      ({ sender, root, type }) => sender === world.bot && root === key && type === 'm.room.message',
    );
    const listed = late.includes(key) && ![late[1], late[3]].includes(key);
    // The question, and that its time is over.
    const asked = key === early[0] || key === early[4];
    expect(said.length, key).toBe(listed ? 0 : asked ? 2 : 1);
  }
}, 300_000);
