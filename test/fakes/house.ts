import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { itemOf, type MatrixEvent } from '#adapters/matrix/events.ts';
import { parseUserId, type UserId } from '#domain/accounts.ts';
import { verifyAudit } from '#domain/audit.ts';
import type { BotInfo } from '#domain/bot.ts';
import type { NewInboxItem, Proof, RoomFacts } from '#domain/inbox.ts';
import type { Ledger } from '#domain/ledger.ts';
import type { Person, Role } from '#domain/operators.ts';
import { parseRoomId } from '#domain/rooms.ts';
import type { Run, Step } from '#domain/runs.ts';
import { Scrubber } from '#domain/scrubber.ts';
import { type AlertReaction, Intake } from '#engine/intake.ts';
import { Approvals } from '#engine/approvals.ts';
import type { OpsRoom } from '#domain/ops-room.ts';
import { Catalogue } from '#engine/catalogue.ts';
import { tellingLedger } from '#engine/crash-points.ts';
import type { Command } from '#engine/command.ts';
import { Door } from '#engine/door.ts';
import { type DoorSettings, type House, missingPort } from '#engine/house.ts';
import type { SitePorts } from '#engine/ports.ts';
import { Refusals } from '#engine/refusals.ts';
import { RunBook } from '#engine/run-book.ts';
import { Runner } from '#engine/runner.ts';
import { Sender } from '#engine/sender.ts';
import { Switchboard } from '#engine/switchboard.ts';
import { Takings } from '#engine/takings.ts';
import { openStorage, type Storage } from '#storage/open.ts';
import { FakeClock } from './clock.ts';
import { FakeLog } from './log.ts';
import { FakeOpsRoom, type RoomEvent } from './ops-room.ts';
import { Power, PowerCut } from './power.ts';
import { World } from './world.ts';

export const site = 'default';
export const opsRoom = parseRoomId('!ops:example.org');
export const botUser = parseUserId('@opsroom:example.org');
/** `alice`, `@alice:example.org` or `@eve:elsewhere.org` -> MXID. */
export const idOf = (name: string): UserId => parseUserId(name.startsWith('@') ? name : `@${name}:example.org`);

export const person = (name: string, role: Role, aka: string[] = []): Person => ({
  user: idOf(name),
  role,
  fixed: true,
  aka: aka.map(idOf),
  shell: undefined,
  addedBy: undefined,
  addedAt: undefined,
});

/** An owner with a second account, an admin, an operator and a viewer. */
export const team = [
  person('alice', 'owner', ['alice-admin']),
  person('bob', 'admin'),
  person('carol', 'operator'),
  person('vera', 'viewer'),
];

// In memory where the system has such a place: each write is synced, and a test has thousands.
const fastFolder = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
/** A folder for a memory. */
export const makeFolder = (): string => mkdtempSync(join(fastFolder, 'opsroom-house-'));
const writes = new Set(['commit', 'take', 'noteAttempt', 'settleOutbox']);

export type TestHouseOptions = {
  commands?: (world: World) => Record<string, Command>;
  ports?: Partial<SitePorts>;
  people?: Person[];
  /** Who is in the room beside the bot; everybody of the team by default. */
  joined?: string[];
  settings?: Partial<DoorSettings>;
  /** The memory is a file, so that `kill` and `reopen` find it again. */
  onDisk?: boolean;
  /** The process dies at this write of its memory. */
  cutAt?: { write: number; when: 'before' | 'after' };
  alertReaction?: AlertReaction;
  /** The memory of an earlier process, and a room that outlives this one. */
  folder?: string;
  outside?: OpsRoom;
  startAt?: number;
  /** Called at each crash point. */
  crash?: (point: string) => void;
  /** Ports that stand on the memory. */
  portsOn?: (storage: Storage, clock: FakeClock) => Partial<SitePorts>;
};

type Life = {
  storage: Storage;
  ledger: Ledger;
  power: Power;
  stop: AbortController;
  house: House;
  approvals: Approvals;
  runner: Runner;
  intake: Intake;
};

/** The engine on the real memory, with a clock that stands still and a room in which people type. */
export class TestHouse implements AsyncDisposable {
  readonly clock: FakeClock;
  readonly log = new FakeLog();
  readonly room = new FakeOpsRoom();
  readonly world = new World();
  /** How what people type is proved, when it isn't in the clear. Reactions stay reactions. */
  proof: Proof | undefined;
  readonly scrubber = new Scrubber();
  /** The disk is full when the next process starts. */
  refuseAtStart: Error | undefined;
  /** Nothing that is said in the room comes in. */
  deaf = false;
  readonly #options: TestHouseOptions;
  readonly #folder: string | undefined;
  #life: Life;
  #typed = 0;

  constructor(options: TestHouseOptions = {}) {
    this.#options = options;
    this.clock = new FakeClock(options.startAt);
    this.#folder = options.folder ?? (options.onDisk ? makeFolder() : undefined);
    this.#life = this.#begin(options.cutAt);
    this.join(...(options.joined ?? ['alice', 'alice-admin', 'bob', 'carol', 'vera']));
  }

  get ledger(): Ledger {
    return this.#life.ledger;
  }

  get operators(): Storage['operators'] {
    return this.#life.storage.operators;
  }

  /** What the parts of the engine stand on. */
  get house(): House {
    return this.#life.house;
  }

  wake(): void {
    this.#life.intake.wake();
  }

  get runner(): Runner {
    return this.#life.runner;
  }

  get power(): Power {
    return this.#life.power;
  }

  #begin(cutAt?: TestHouseOptions['cutAt']): Life {
    const { clock, log } = this;
    const options = this.#options;
    const file = this.#folder === undefined ? ':memory:' : join(this.#folder, 'opsroom.db');
    const storage = openStorage({ file, people: options.people ?? team, scrubber: this.scrubber });
    const power = new Power(cutAt);
    power.refuses = this.refuseAtStart;
    const { crash } = options;
    const memory = power.memory<Ledger>(storage.ledger, writes);
    const ledger = crash ? tellingLedger(memory, crash) : memory;
    const bot: BotInfo = {
      user: botUser,
      opsRoom,
      site,
      prefix: options.settings?.prefix ?? '!',
      timezone: 'UTC',
      version: '0.0.0-test',
      startedAt: clock.now(),
      off: [{ part: 'livekit', setting: 'livekit', port: 'calls' }],
    };
    const given = Object.entries(options.ports ?? {}).map(([name, port]) => [
      name,
      typeof port === 'object' ? power.outside(port) : port,
    ]);
    const ports = {
      bot,
      clock,
      takings: new Takings(ledger, clock, site),
      operators: storage.operators,
      readings: storage.readings,
      switches: new Switchboard(ledger, clock),
      audit: {
        find: (filter: object) => ledger.audit(filter),
        look: () => ({ verdict: verifyAudit(ledger.auditAll()), since: 0, fingerprint: '' }),
      },
      adminUser: () => idOf('opsroom-admin'),
      ...(Object.fromEntries(given) as Partial<SitePorts>),
      ...options.portsOn?.(storage, clock),
    } as SitePorts;
    const commands = options.commands?.(power.outside(this.world)) ?? {};
    const catalogue = new Catalogue(new Map(Object.entries(commands)), (command) => missingPort(command, ports));
    const settings = {
      prefix: '!',
      callerMs: 300_000,
      twoPersonMs: 1_800_000,
      limits: { users: 5, rooms: 10, perHour: 20 },
      roles: {},
      ...options.settings,
    };
    const house: House = {
      ledger,
      catalogue,
      clock,
      log,
      build: bot.version,
      settings,
      ports: () => ports,
      refusals: new Refusals(),
      ...(crash ? { crash } : {}),
      heardUntil: () => (this.deaf ? undefined : clock.now()),
    };
    const runner = new Runner(house);
    const approvals = new Approvals(house, runner);
    Object.assign(ports, { runs: new RunBook(house, runner), catalogue, approvals });
    const alertReaction = options.alertReaction ?? (() => false);
    const intake = new Intake(house, { door: new Door(house, runner), approvals, alertReaction });
    const sender = new Sender({ ledger, room: power.outside<OpsRoom>(options.outside ?? this.room), clock, log });
    storage.ledger.onOutbox(() => sender.wake());
    const stop = new AbortController();
    runner.recover();
    for (const loop of [intake.run(stop.signal), sender.run(stop.signal)]) loop.catch(() => {});
    return { storage, house, ledger, power, stop, approvals, runner, intake };
  }

  /** Puts people into the room (`join`) or takes them out (`leave`), as the sync would. */
  join(...names: string[]): void {
    this.know(({ joined }) => ({ joined: [...new Set([...joined, ...names.map(idOf)])] }));
  }

  leave(...names: string[]): void {
    this.know(({ joined }) => ({ joined: joined.filter((user) => !names.map(idOf).includes(user)) }));
  }

  /** The room is like this from now on. */
  know(change: (facts: RoomFacts) => Partial<RoomFacts>): void {
    const none: RoomFacts = { room: opsRoom, joined: [], encrypted: false, joinRule: 'invite', version: '12' };
    const facts = this.ledger.roomFacts(opsRoom) ?? none;
    const position = `s${this.#typed}`;
    this.ledger.take({ stream: 'facts', position, items: [], rooms: [{ ...facts, ...change(facts) }] });
  }

  /** Lets everything run that can run without time passing. */
  async settle(): Promise<void> {
    for (let quiet = 0, seen = -1; quiet < 5; quiet += 1) {
      await turn();
      const now = this.power.writes + this.room.tries.length + this.world.faults.calls.length;
      if (now !== seen) quiet = 0;
      seen = now;
    }
  }

  /** Time passes: reminders, expiries and retries happen when they are due. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 1000) {
      await this.clock.advance(Math.min(1000, left));
      if (!this.power.on) continue;
      this.#life.approvals.tick();
      this.#life.runner.tick();
    }
    await this.settle();
  }

  /** Somebody types; gives what the room got since. The same event id again is the same message. */
  async say(
    name: string,
    text: string,
    how: { event?: string; thread?: string; html?: string } = {},
  ): Promise<string[]> {
    const relates = how.thread === undefined ? {} : { 'm.relates_to': { rel_type: 'm.thread', event_id: how.thread } };
    const content = {
      msgtype: 'm.text',
      body: text,
      ...(how.html === undefined ? {} : { formatted_body: how.html }),
      ...relates,
    };
    return this.#happen(name, { type: 'm.room.message', content }, how.event);
  }

  /** Reacts to the bot's last question, or to another event. */
  async react(name: string, emoji: string, on: string = this.question().id): Promise<string[]> {
    return this.#happen(name, {
      type: 'm.reaction',
      content: { 'm.relates_to': { rel_type: 'm.annotation', event_id: on, key: emoji } },
    });
  }

  async redact(name: string, event: string): Promise<string[]> {
    return this.#happen(name, { type: 'm.room.redaction', content: { redacts: event } });
  }

  async edit(name: string, event: string, text: string): Promise<string[]> {
    const relates = { 'm.relates_to': { rel_type: 'm.replace', event_id: event } };
    return this.#happen(name, {
      type: 'm.room.message',
      content: { msgtype: 'm.text', body: `* ${text}`, ...relates },
    });
  }

  approve(name: string, code = this.code()): Promise<string[]> {
    return this.say(name, `!approve ${code}`);
  }

  deny(name: string, code = this.code()): Promise<string[]> {
    return this.say(name, `!deny ${code}`);
  }

  async #happen(name: string, event: MatrixEvent, id?: string): Promise<string[]> {
    const before = this.room.events.length;
    this.put(name, event, id);
    await this.settle();
    return this.room.events
      .slice(before)
      .filter(({ kind }) => kind === 'message' || kind === 'edit')
      .map(({ text }) => text);
  }

  /** The event as the sync would take it, without waiting for what comes of it. */
  put(name: string, event: MatrixEvent, id?: string): string {
    this.#typed += 1;
    const key = id ?? `$m${this.#typed}`;
    const full = { ...event, event_id: key, sender: idOf(name), origin_server_ts: this.clock.now() };
    const item = itemOf(full, {
      site,
      room: opsRoom,
      bot: botUser,
      takenAt: this.clock.now(),
      secretsIn: (text) => this.scrubber.find(text),
    });
    const proof = item?.body.kind === 'message' ? (this.proof ?? item.proof) : undefined;
    this.take(item === undefined ? [] : [{ ...item, proof: proof ?? item.proof }]);
    return key;
  }

  /** As a batch of the sync. */
  take(items: NewInboxItem[]): void {
    try {
      this.ledger.take({ stream: 'sync', position: `s${this.#typed}`, items, rooms: [] });
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
    }
    this.#life.intake.wake();
  }

  /** The id of the last thing that somebody typed. */
  get lastTyped(): string {
    return `$m${this.#typed}`;
  }

  /** The bot's last question. */
  question(): RoomEvent {
    const found = this.room.messages().findLast(({ mark }) => mark?.kind === 'prompt');
    if (!found) throw new Error(`nothing was asked; the room says: ${this.room.texts().join(' | ')}`);
    return found;
  }

  code(): string {
    return this.question().mark?.code ?? '';
  }

  run(id = 1): Run {
    const run = this.ledger.run(id);
    if (!run) throw new Error(`no run r${id}`);
    return run;
  }

  states(): string[] {
    return this.ledger
      .runsBy({})
      .map(({ state }) => state)
      .reverse();
  }

  steps(run = 1): Step[] {
    return this.ledger.steps(run);
  }

  /** What the room shows last. */
  last(): string {
    return this.room.texts().at(-1) ?? '';
  }

  /** SIGKILL: nothing that runs gets any further. The file stays. */
  kill(): void {
    this.#life.power.cut();
    this.world.abandon();
    this.#life.stop.abort();
    this.#life.storage[Symbol.dispose]();
  }

  /** A new process on the same file. */
  async reopen(cutAt?: TestHouseOptions['cutAt']): Promise<void> {
    this.#life = this.#begin(cutAt);
    await this.settle();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.power.on) this.kill();
    await turn();
    if (this.#folder !== undefined && this.#options.folder === undefined)
      rmSync(this.#folder, { recursive: true, force: true });
  }
}

export const openTestHouse = (options?: TestHouseOptions): TestHouse => new TestHouse(options);
