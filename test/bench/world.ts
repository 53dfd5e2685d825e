import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { writeBotSettings } from '#sandbox/bot-settings.ts';
import { type Seeded, seed } from '#sandbox/seed.ts';
import { Place } from '#sandbox/seed/place.ts';
import { limitSending } from '#sandbox/seed/limit.ts';
import { openStack, type Stack } from '#sandbox/stack.ts';
import type { BotSpec } from './bot.ts';
import { Operator } from './operator.ts';

/** The lived-in place without rate limits, with both bots in rooms that are alike; neither bot runs yet. */
export interface World extends AsyncDisposable {
  readonly dir: string;
  readonly ours: BotSpec;
  readonly bare: BotSpec;
  readonly operator: Operator;
  readonly stack: Stack;
  readonly seeded: Seeded;
  readonly log: (line: string) => void;
}

const root = join(import.meta.dirname, '../..');

export async function openWorld(log: (line: string) => void): Promise<World> {
  await using opening = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), 'opsroom-bench-'));
  opening.defer(() => rm(dir, { recursive: true, force: true }));
  const stack = opening.use(await openStack({ dir: join(dir, 'stack'), log, seeded: true, rateLimits: 'lifted' }));
  const seeded = await seed(stack, log);
  // Our checks look at all parts, as they do in the sandbox.
  await Promise.all([stack.livekit, stack.prometheus, stack.alertmanager]);
  const place = new Place(stack.synapse.url, stack.synapse.registrationSharedSecret);
  const bareAccount = await place.person('bare', 'Bare', 'Bare bot');
  await limitSending(stack.synapse, bareAccount.userId, true);
  const [oursRoom, bareRoom] = await Promise.all([
    makeRoom(place, seeded, seeded.bot),
    makeRoom(place, seeded, bareAccount),
  ]);
  const alice = seeded.people['alice']!;
  const operator = new Operator(stack.synapse.url, alice, [oursRoom, bareRoom]);
  await operator.open();
  opening.defer(() => operator.close());
  const ours = await ourSpec(stack, { ...seeded, opsRoom: { ...seeded.opsRoom, roomId: oursRoom } }, dir);
  const bare: BotSpec = {
    name: 'the bare bot',
    room: bareRoom,
    user: bareAccount.userId,
    args: [join(import.meta.dirname, 'bare-bot.ts'), stack.synapse.url, join(dir, 'bare.json')],
    env: { BARE_TOKEN: bareAccount.token },
    logFile: join(dir, 'bare.log'),
  };
  const opened = opening.move();
  return { dir, ours, bare, operator, stack, seeded, log, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

async function ourSpec(stack: Stack, seeded: Seeded, dir: string): Promise<BotSpec> {
  const { settingsFile } = await writeBotSettings(stack, seeded);
  const { env, flags } = await startScript();
  // As after an installation, in a folder that nothing else has used.
  const compiled = join(dir, 'compiled');
  for (const args of [['src/main.ts', '--help'], ['src/warm.ts']]) {
    await promisify(execFile)(process.execPath, args, { cwd: root, env: { NODE_COMPILE_CACHE: compiled } });
  }
  return {
    name: 'Opsroom',
    room: seeded.opsRoom.roomId,
    user: seeded.bot.userId,
    args: [...flags, join(root, 'src/main.ts'), '--settings', settingsFile],
    env: { ...env, NODE_COMPILE_CACHE: compiled },
    logFile: join(dir, 'opsroom.log'),
  };
}

/** The environment and the flags of Node with which `npm start` starts the bot. */
async function startScript(): Promise<{ env: Record<string, string>; flags: string[] }> {
  const { scripts } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { scripts: { start: string } };
  const words = scripts.start.split(' ');
  const node = words.indexOf('node');
  const env = words.slice(0, node).map((word) => word.split('=') as [string, string]);
  return { env: Object.fromEntries(env), flags: words.slice(node + 1, words.indexOf('src/main.ts')) };
}

/** Four members and the same few lines: what a bot has to sync is the same for both. */
async function makeRoom(place: Place, seeded: Seeded, bot: { userId: string; token: string }): Promise<string> {
  const [alice, bob, carol] = ['alice', 'bob', 'carol'].map((name) => seeded.people[name]!);
  const others = [bob!, carol!, bot];
  const room = await place.room(alice!.token, { name: 'Bench', invite: others.map(({ userId }) => userId) });
  await Promise.all(others.map(({ token }) => place.join(token, room)));
  await place.say(bob!.token, room, ['bob', 'Shall we measure?']);
  return room;
}

/** Measures again when the bare bot lost a command, as it does now and then; ours never may. */
export async function again(world: World, spec: BotSpec, measure: () => Promise<number>): Promise<number> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await measure();
    } catch (error) {
      if (spec !== world.bare || attempt === 3) throw error;
      world.log(`${spec.name} lost a command; once more`);
    }
  }
}
