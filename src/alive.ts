import { render } from '#adapters/matrix/render.ts';
import type { MatrixSession } from '#adapters/matrix/open.ts';
import { RoomPresence } from '#adapters/matrix/presence.ts';
import type { SyncLoop } from '#adapters/matrix/sync.ts';
import { probeWrite } from '#adapters/system/write-probe.ts';
import { WebhookWay } from '#adapters/webhook/open.ts';
import type { BotInfo } from '#domain/bot.ts';
import type { Clock } from '#domain/clock.ts';
import { formatDuration } from '#domain/duration.ts';
import { asOpsError, type OpsError } from '#domain/errors.ts';
import type { Signal } from '#domain/incidents.ts';
import type { Ledger } from '#domain/ledger.ts';
import type { Log } from '#domain/log.ts';
import type { Operators } from '#domain/operators.ts';
import type { PartState } from '#domain/vitals.ts';
import { Fallback } from '#engine/fallback.ts';
import { noteStart, noteStop } from '#engine/restarts.ts';
import { Vitals } from '#engine/vitals.ts';
import type { Settings } from './settings.ts';
import { Standstill } from './standstill.ts';
import { calmly } from './ticking.ts';

const syncStaleMs = 120_000;
const probeEveryMs = 60_000;
const outboxOldMs = 300_000;
// A token that is refused once may be a hiccup of the homeserver's; a page within 2 min needs the rest of the time.
const deadTokenMs = 15_000;
const muteMs = 10_000;
const memoryMs = 60_000;

export type AliveOptions = {
  settings: Settings;
  ledger: Ledger;
  operators: Operators;
  matrix: MatrixSession;
  bot: BotInfo;
  clock: Clock;
  log: Log;
  receive: (signals: Signal[]) => void;
  /** These stand on what is opened here. */
  sync: () => Pick<SyncLoop, 'lastAnswerMs' | 'trouble'>;
  sender: () => { hasten(): void; readonly reachable: boolean };
};

/** What keeps the bot able to speak, notices when it isn't, and says so another way. */
export class Alive implements Disposable {
  readonly presence: RoomPresence;
  readonly standstill: Standstill;
  readonly #options: AliveOptions;
  readonly #fallback: Fallback;
  readonly #vitals: Vitals;
  readonly #lonely: boolean;
  #memory: OpsError | undefined;

  constructor(options: AliveOptions) {
    const { settings, ledger, operators, matrix, bot, clock, log } = options;
    this.#options = options;
    this.standstill = new Standstill(clock, log);
    this.presence = new RoomPresence({
      request: matrix.connection.request,
      bot: bot.user,
      room: bot.opsRoom,
      clock,
      log,
      isOwner: (user) => operators.find(user)?.role === 'owner',
      back: () => options.sender().hasten(),
    });
    const ways = settings.alerts.fallback.map(
      ({ webhook }) => new WebhookWay({ ...webhook, bot: bot.user, site: bot.site }),
    );
    this.#lonely = ways.length === 0;
    const reachable = (): boolean => options.sender().reachable;
    this.#fallback = new Fallback({
      ledger,
      ways,
      clock,
      log,
      bot,
      reachable,
      patienceMs: settings.alerts.fallbackAfter,
      textOf: (reply) => render(reply).body,
    });
    this.#vitals = this.#openVitals();
  }

  #openVitals(): Vitals {
    const { bot, clock, log, receive } = this.#options;
    const nobody = new AbortController().signal;
    return new Vitals({
      site: bot.site,
      clock,
      log,
      receive,
      shout: (title) => {
        const text = `${title}\n\nNothing can be stored, so this comes without an incident.`;
        void this.#fallback.tell({ title, text, users: [], incidents: [], at: clock.now() }, nobody);
      },
      vitals: [
        { part: 'sync', look: () => this.#sync() },
        { part: 'token', look: () => this.#token(), pages: { name: 'BotTokenRefused', afterMs: deadTokenMs } },
        { part: 'room', look: () => this.presence.state(), pages: { name: 'BotOutOfRoom', afterMs: muteMs } },
        { part: 'memory', look: () => this.#written(), pages: { name: 'BotCannotWrite', afterMs: memoryMs } },
        { part: 'outbox', look: () => this.#outbox() },
        { part: 'event loop', look: () => this.standstill.state() },
      ],
    });
  }

  states(): PartState[] {
    return this.#vitals.states();
  }

  /** Called each second. */
  tick(): void {
    this.standstill.tick();
    this.#vitals.tick();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { ledger, bot, clock, log } = this.#options;
    calmly(() => noteStart(ledger, bot, clock), log);
    if (this.#lonely) {
      const text = 'pages have no other way than the room: while Matrix is down nobody is paged';
      this.#options.log.warn({ setting: 'alerts.fallback' }, text);
    }
    await Promise.all([this.presence.run(signal), this.#fallback.run(signal), this.#probe(signal)]);
  }

  /** An idle bot writes nothing, so a disk that has filled up would show only when it is needed. */
  async #probe(signal: AbortSignal): Promise<void> {
    const { settings, ledger, clock } = this.#options;
    // A start has written already.
    await clock.sleep(probeEveryMs, signal).catch(() => {});
    while (!signal.aborted) {
      try {
        await probeWrite(settings.dataDir);
        ledger.commit({ at: clock.now(), switches: [{ name: 'write-probe', value: clock.now() }] });
        this.#memory = undefined;
      } catch (error) {
        this.#memory = asOpsError(error);
      }
      // While it fails, its end is noticed soon.
      await clock.sleep(this.#memory === undefined ? probeEveryMs : probeEveryMs / 6, signal).catch(() => {});
    }
  }

  #sync(): Omit<PartState, 'part'> & { starting?: boolean } {
    const { lastAnswerMs, trouble } = this.#options.sync();
    const { clock } = this.#options;
    const fresh = lastAnswerMs !== undefined && clock.monotonicMs() - lastAnswerMs < syncStaleMs;
    if (fresh) return { ready: true };
    const starting = lastAnswerMs === undefined && trouble === undefined;
    return { ready: false, note: trouble?.message ?? 'the homeserver has not answered yet', starting };
  }

  #token(): Omit<PartState, 'part'> {
    const { trouble } = this.#options.sync();
    if (trouble?.kind !== 'misconfigured') return { ready: true };
    return { ready: false, note: `${trouble.message} It can neither hear nor speak. ${trouble.hint ?? ''}`.trim() };
  }

  #written(): Omit<PartState, 'part'> {
    return this.#memory === undefined ? { ready: true } : { ready: false, note: this.#memory.message };
  }

  #outbox(): Omit<PartState, 'part'> {
    const { ledger, clock } = this.#options;
    const { oldestAt, pending } = ledger.outboxDepth();
    const oldMs = oldestAt === undefined ? 0 : clock.now() - oldestAt;
    if (oldMs < outboxOldMs) return { ready: true };
    return { ready: false, note: `${pending} to be said, the oldest since ${formatDuration(oldMs)}` };
  }

  [Symbol.dispose](): void {
    const { ledger, clock, log } = this.#options;
    calmly(() => noteStop(ledger, clock), log);
    this.standstill[Symbol.dispose]();
  }
}
