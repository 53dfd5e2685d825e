import { createWriteStream } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openApp } from '#src/app.ts';
import { openLog } from '#adapters/system/log.ts';
import { type BotFiles, type SettingsPatch, writeBotSettings } from '#sandbox/bot-settings.ts';
import { limitSending } from '#sandbox/seed/limit.ts';
import { type Seeded, type SeededPerson, seed } from '#sandbox/seed.ts';
import { openStack, type Stack, type StackOptions } from '#sandbox/stack.ts';
import { call } from '#sandbox/synapse-client.ts';
import { loadSettings } from '#src/settings.ts';
import { BotProcess } from './fixtures/bot-process.ts';
import type { Heard, Said } from './fixtures/heard.ts';
import { RoomListener } from './fixtures/room-listener.ts';
import { SealedHouse } from './fixtures/sealed-house.ts';

/** The first test on a machine installs and builds the parts. */
export const installMs = 15 * 60_000;

export type OpsRoomOptions = {
  /** Settings other than the sandbox's, by section. */
  settings?: SettingsPatch;
  parts?: NonNullable<StackOptions['parts']>;
  /**
   * The ops room is an encrypted one of version 12, in which these people (alice and bob) speak through clients with
   * crypto of their own. `later`: made without encryption; `sealed.encrypt()` switches it on.
   */
  encrypted?: { people?: readonly string[]; later?: boolean };
  /** Off: the bot speaks under Synapse's default limit. People never do: a test types faster than they. */
  liftBotLimit?: boolean;
};

/** A question of the bot, and the command that it is about. */
export type Asked = { command: string; prompt: Said };

/** The whole stack, furnished, with people in its ops room and the bot's settings; the bot itself is started by the test. */
export class OpsRoom implements AsyncDisposable {
  readonly stack: Stack;
  readonly seeded: Seeded;
  /** What alice hears in the room. */
  readonly room: Heard;
  files: BotFiles;
  readonly #house: SealedHouse | undefined;
  readonly #settings: SettingsPatch;
  readonly #closing: AsyncDisposableStack;
  #app: AsyncDisposable | undefined;
  #transactions = 0;

  private constructor(parts: {
    stack: Stack;
    seeded: Seeded;
    room: Heard;
    house: SealedHouse | undefined;
    files: BotFiles;
    settings: SettingsPatch;
    closing: AsyncDisposableStack;
  }) {
    this.stack = parts.stack;
    this.seeded = parts.seeded;
    this.room = parts.room;
    this.files = parts.files;
    this.#house = parts.house;
    this.#settings = parts.settings;
    this.#closing = parts.closing;
  }

  static async open(options: OpsRoomOptions = {}): Promise<OpsRoom> {
    await using opening = new AsyncDisposableStack();
    const dir = await mkdtemp(join(tmpdir(), 'opsroom-e2e-'));
    opening.defer(() => rm(dir, { recursive: true, force: true }));
    const { settings = {}, parts, liftBotLimit = true } = options;
    const silent = (): void => undefined;
    const stack = opening.use(await openStack({ dir, log: silent, seeded: true, ...(parts ? { parts } : {}) }));
    const seeded = await seed(stack, silent, { liftBotLimit });
    await Promise.all(['alice', 'bob', 'carol'].map((name) => limitSending(stack.synapse, idOf(stack, name), true)));
    const house = options.encrypted && opening.use(await openHouse(stack, seeded, options.encrypted));
    const place = house ? { ...seeded, opsRoom: { ...seeded.opsRoom, roomId: house.room } } : seeded;
    const files = await writeBotSettings(stack, place, settings);
    const room = house ? house.peer('alice').in(house.room) : opening.use(await listen(stack, seeded));
    return new OpsRoom({ stack, seeded: place, room, house, files, settings, closing: opening.move() });
  }

  /** The encrypted room and the clients in it. */
  get sealed(): SealedHouse {
    if (!this.#house) throw new Error('This ops room was opened without encryption.');
    return this.#house;
  }

  get url(): string {
    return this.stack.synapse.url;
  }

  get dataDir(): string {
    return join(this.stack.dir, 'bot', 'data');
  }

  get bot(): string {
    return this.seeded.bot.userId;
  }

  person(name: string): SeededPerson {
    const person = this.seeded.people[name];
    if (!person) throw new Error(`Nobody is called ${name}.`);
    return person;
  }

  /** Starts the bot in this process, with further settings than the room was opened with. */
  async startBot(patch: SettingsPatch = {}): Promise<void> {
    await this.stopBot();
    await this.settle(patch);
    const lines = createWriteStream(join(this.stack.dir, 'logs', 'bot.log'), { flags: 'a' });
    const log = openLog({ level: 'debug', format: 'json', write: (line) => void lines.write(line) });
    this.#app = await openApp(loadSettings({ file: this.files.settingsFile }), { log });
    await this.meet();
  }

  async stopBot(): Promise<void> {
    await this.#app?.[Symbol.asyncDispose]();
    this.#app = undefined;
  }

  /** Writes the bot's settings again, without starting it. */
  async settle(patch: SettingsPatch = {}): Promise<void> {
    this.files = await writeBotSettings(this.stack, this.seeded, { ...this.#settings, ...patch });
  }

  /** The bot as a process of its own; ready when this resolves. */
  async spawnBot(env: NodeJS.ProcessEnv = {}): Promise<BotProcess> {
    const bot = new BotProcess(['--settings', this.files.settingsFile], env);
    await bot.ready();
    await this.meet();
    return bot;
  }

  /** In an encrypted room: waits until the people's clients know the bot's device. What they say then is for it too. */
  async meet(): Promise<void> {
    if (this.#house?.isEncrypted !== true) return;
    const token = (await readFile(join(this.stack.dir, 'bot', 'secrets', 'matrix-token'), 'utf8')).trim();
    const path = '/_matrix/client/v3/account/whoami';
    const { device_id: deviceId } = await call<{ device_id: string }>(this.url, 'GET', path, token);
    await this.#house.know(this.bot, deviceId);
  }

  /** A client call by one of the people, or by the server's administrator. */
  api<T = unknown>(who: string, method: string, path: string, body?: unknown): Promise<T> {
    const token = who === 'admin' ? this.seeded.admin.token : this.person(who).token;
    return call<T>(this.url, method, path, token, body);
  }

  async say(who: string, text: string, thread?: string): Promise<string> {
    const relates = thread === undefined ? {} : { 'm.relates_to': { rel_type: 'm.thread', event_id: thread } };
    return this.send(who, 'm.room.message', { msgtype: 'm.text', body: text, 'm.mentions': {}, ...relates });
  }

  async react(who: string, event: string, emoji: string): Promise<string> {
    return this.send(who, 'm.reaction', { 'm.relates_to': { rel_type: 'm.annotation', event_id: event, key: emoji } });
  }

  async send(who: string, type: string, content: object): Promise<string> {
    if (this.#house) return this.#house.send(who, type, content);
    this.#transactions += 1;
    const room = encodeURIComponent(this.seeded.opsRoom.roomId);
    const path = `/_matrix/client/v3/rooms/${room}/send/${type}/e2e${process.pid}.${this.#transactions}`;
    return (await this.api<{ event_id: string }>(who, 'PUT', path, content)).event_id;
  }

  /** The bot's first answer to a command, or its question about it. */
  answer(command: string, withinMs?: number): Promise<Said> {
    return this.room.waitFor(
      (said) => said.sender === this.bot && said.root === command && said.mark !== undefined && isWhole(said),
      { what: `an answer to ${command}`, ...(withinMs === undefined ? {} : { withinMs }) },
    );
  }

  /** How a confirmed change ended. */
  end(command: string, withinMs?: number): Promise<Said> {
    return this.room.waitFor(
      (said) => said.sender === this.bot && said.root === command && said.mark?.kind === 'reply' && isWhole(said),
      { what: `the end of ${command}`, ...(withinMs === undefined ? {} : { withinMs }) },
    );
  }

  /** Types a command and hears its answer. */
  async ask(who: string, text: string): Promise<Said> {
    return this.answer(await this.say(who, text));
  }

  /** Types a change and gets its question. */
  async request(who: string, text: string): Promise<Asked> {
    const command = await this.say(who, text);
    const prompt = await this.answer(command);
    if (prompt.mark?.kind !== 'prompt') throw new Error(`"${text}" was not asked about: ${prompt.body}`);
    return { command, prompt };
  }

  /** Types a change, says ✅ and hears how it ended. */
  async order(who: string, text: string): Promise<Said> {
    const { command, prompt } = await this.request(who, text);
    await this.react(who, prompt.id, '✅');
    return this.end(command);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopBot();
    await this.#closing.disposeAsync();
  }
}

/** Progress is no answer. */
const isWhole = (said: Said): boolean => said.mark?.kind === 'prompt' || said.mark?.outcome !== 'waiting';

const idOf = (stack: Stack, name: string): string => `@${name}:${stack.serverName}`;

async function listen(stack: Stack, { people, opsRoom }: Seeded): Promise<RoomListener> {
  const room = new RoomListener({ url: stack.synapse.url, token: people['alice']!.token, room: opsRoom.roomId });
  await room.start();
  return room;
}

function openHouse(stack: Stack, seeded: Seeded, options: { people?: readonly string[]; later?: boolean }) {
  const { people = ['alice', 'bob'], later = false } = options;
  return SealedHouse.open(stack, seeded, { people, later, logFile: join(stack.dir, 'logs', 'peers.log') });
}
