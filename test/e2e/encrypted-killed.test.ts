import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BotMemory } from '#test/fixtures/bot-memory.ts';
import { BotProcess } from '#test/fixtures/bot-process.ts';
import { FaultProxy } from '#test/fixtures/fault-proxy.ts';
import type { Said } from '#test/fixtures/heard.ts';
import { RatchetWatch } from '#test/fixtures/ratchet.ts';
import { installMs, OpsRoom } from '#test/ops-room.ts';

// SIGKILL at random moments in an encrypted room. Keys that were used twice, or lost, would show here.
const kills = Number(process.env['OPSROOM_KILLS'] ?? 10);
const people = ['alice', 'bob'];
const watch = new RatchetWatch();
let world: OpsRoom;
let proxy: FaultProxy;
let bot: BotProcess;
beforeAll(async () => {
  world = await OpsRoom.open({ parts: ['synapse'], encrypted: { people } });
  proxy = await FaultProxy.open(world.url);
  // Only looks: no request is ever changed by it.
  const look = (passing: Parameters<RatchetWatch['look']>[0]): boolean => {
    watch.look(passing);
    return false;
  };
  proxy.rule({ when: look, fault: { kind: 'cut' } });
  await world.settle({
    matrix: {
      homeserverUrl: proxy.url,
      userId: world.bot,
      accessToken: { file: './secrets/matrix-token' },
      opsRoom: world.sealed.room,
    },
  });
  bot = await world.spawnBot();
  // The bot makes its own rooms when it starts, and asks for another sync then: what the proxy lets go in between is lost.
  await world.ask('alice', '!check sync-latency');
}, installMs);
afterAll(async () => {
  await bot?.[Symbol.asyncDispose]();
  await proxy?.[Symbol.asyncDispose]();
  await world?.[Symbol.asyncDispose]();
});

function pending(): number {
  using memory = new BotMemory(world.dataDir);
  return memory.count(`outbox WHERE state = 'pending'`) + memory.count(`inbox WHERE state = 'new'`);
}

/** Messages that wait for their key. */
function unread(): number {
  using memory = new BotMemory(world.dataDir);
  return memory.count(`inbox WHERE state = 'sealed'`);
}

const answersTo = (command: string): Said[] =>
  world.room.events.filter(
    ({ sender, root, edits }) => sender === world.bot && root === command && edits === undefined,
  );

/** Where a command without an answer got stuck. */
function traceOf(command: string): unknown {
  using memory = new BotMemory(world.dataDir);
  return {
    command,
    heard: world.room.events.filter(({ id, root }) => id === command || root === command),
    inbox: memory.all('SELECT id, state, proof, late_ms, body FROM inbox WHERE key = ?', command),
    outbox: memory.all('SELECT id, state, attempts, event_id, error FROM outbox WHERE in_reply_to = ?', command),
  };
}

/** Looks at what the bot says it has said, as a client does that scrolls back over a gap of its own sync. */
async function scrollBack(command: string): Promise<void> {
  using memory = new BotMemory(world.dataDir);
  const said = memory.all<{ event: string }>(
    'SELECT event_id AS event FROM outbox WHERE in_reply_to = ? AND event_id IS NOT NULL',
    command,
  );
  for (const { event } of said) await world.sealed.peer('alice').ask('look', { room: world.sealed.room, event });
}

/** Bot and keys: one device, as the people's clients see it. */
const device = async (): Promise<string> =>
  JSON.stringify(await world.sealed.peer('alice').ask('devices', { user: world.bot }));

test('a key that comes late: the command is read and answered then', async () => {
  proxy.syncs.holdToDevice();
  let command: string;
  try {
    await world.sealed.peer('alice').ask('newSession', { room: world.sealed.room });
    command = await world.say('alice', '!ping');
    await expect.poll(() => proxy.syncs.held).toBeGreaterThan(0);
    await expect.poll(() => unread()).toBe(1);
    expect(answersTo(command)).toEqual([]);
  } finally {
    proxy.syncs.release();
  }
  expect((await world.answer(command)).body).toContain('pong');
  expect(unread()).toBe(0);
});

test('a key that never comes: the sender is told what to do, also by a bot that was killed meanwhile', async () => {
  const [bob, { room }] = [world.sealed.peer('bob'), world.sealed];
  await bob.ask('newSession', { room });
  await bob.ask('sendOnlyTo', { whom: 'verified' });
  const first = await world.say('bob', '!ping');
  const second = await world.say('bob', '!ping');
  await bob.ask('sendOnlyTo', { whom: 'everyone' });
  await bob.ask('newSession', { room });
  await expect.poll(() => unread()).toBe(2);
  await bot.kill();
  bot = await world.spawnBot();
  const told = await world.answer(first, 120_000);
  expect(told.body).toMatch(/verif/i);
  expect([told.mark?.kind, told.sealed?.shield]).toEqual(['notice', 'NONE']);
  // Once for all of somebody's messages.
  expect((await world.ask('bob', '!ping')).body).toContain('pong');
  expect(answersTo(second)).toEqual([]);
});

test('150 messages while the bot is away are all read', async () => {
  await bot.kill();
  const commands: string[] = [];
  for (let n = 0; n < 75; n += 1) commands.push(...(await Promise.all(people.map((who) => world.say(who, '!ping')))));
  expect(commands).toHaveLength(150);
  bot = await world.spawnBot();
  await Promise.all(commands.map((command) => world.answer(command, 120_000)));
  expect(commands.filter((command) => answersTo(command).length !== 1)).toEqual([]);
}, 240_000);

test(
  `${kills} kills in an encrypted room: no message key twice, and all that was said is answered once`,
  async () => {
    const before = await device();
    const unreadBefore = unread();
    const commands: string[] = [];
    const line = async (who: string, text: string): Promise<void> => void commands.push(await world.say(who, text));
    for (let nth = 0; nth < kills; nth += 1) {
      // A new session now and then: its key is on its way while the bot dies.
      if (nth % 2 === 0)
        await world.sealed.peer(people[nth % people.length]!).ask('newSession', { room: world.sealed.room });
      const talk = people.flatMap((who) => [line(who, '!ping'), line(who, '!version')]);
      await pause(Math.random() * 600);
      await bot.kill();
      await Promise.all(talk);
      // Now and then once more, in the midst of starting.
      if (nth % 3 === 2) {
        await using starting = new BotProcess(['--settings', world.files.settingsFile]);
        await pause(Math.random() * 2000);
        await starting.kill();
      }
      for (const who of people) await line(who, '!ping');
      bot = await world.spawnBot();
    }
    const stuck: string[] = [];
    await Promise.all(commands.map((each) => world.answer(each, 120_000).catch(() => void stuck.push(each))));
    for (const command of stuck) await scrollBack(command);
    expect(stuck.filter((command) => answersTo(command).length !== 1).map(traceOf)).toEqual([]);
    await expect.poll(pending, { timeout: 60_000, interval: 100 }).toBe(0);
    const last = await world.ask('alice', '!ping');
    console.log(
      `${kills} kills, ${commands.length} commands, ${watch.messages} messages in ${watch.sessions.size} sessions`,
    );
    const counts = commands.map((command) => answersTo(command).length);
    expect(counts.filter((count) => count !== 1)).toEqual([]);
    expect(world.room.events.filter(({ sender, sealed }) => sender === world.bot && sealed?.failure)).toEqual([]);
    expect(last.sealed?.shield).toBe('NONE');
    expect(watch.messages).toBeGreaterThanOrEqual(commands.length);
    expect(watch.repeated).toEqual([]);
    expect(await device()).toBe(before);
    expect(unread()).toBe(unreadBefore);
    expect(await readFile(world.stack.synapse.logFile, 'utf8')).not.toMatch(/One time key .* already exists/i);
    const refused = proxy.seen.filter(({ path, status }) => path.includes('/keys/') && (status ?? 200) >= 400);
    expect(refused).toEqual([]);
  },
  120_000 + kills * 30_000,
);
