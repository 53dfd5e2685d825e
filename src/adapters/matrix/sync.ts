import { serverOf, type UserId } from '#domain/accounts.ts';
import type { Clock, EpochMs } from '#domain/clock.ts';
import { asOpsError, causeOf, OpsError } from '#domain/errors.ts';
import type { Batch, InboxItem, NewInboxItem, RoomFacts } from '#domain/inbox.ts';
import { lateBy } from '#domain/lateness.ts';
import type { Log } from '#domain/log.ts';
import type { RoomId } from '#domain/rooms.ts';
import type { FoundSecrets } from '#domain/scrubber.ts';
import type { Request } from './client.ts';
import type { KeyNews } from './crypto/cipher.ts';
import { retrySealed, sealedItemOf, type SealedStore, takenBackIn } from './crypto/sealed.ts';
import { type Heard, keysFor, type Opening, unwrap, type Unwrapping } from './crypto/unwrap.ts';
import { itemOf, type ItemContext, type MatrixEvent, redactedBy, saidBy } from './events.ts';
import { withCreators } from './creation.ts';
import { learn, noFacts, without } from './facts.ts';
import { Listening } from './listening.ts';

const longPollMs = 30_000;
const pageSize = 100;
const mostPages = 100;
const longestWaitMs = 5000;
/** Two long polls. */
const oldMs = 60_000;

type Timeline = { events?: MatrixEvent[]; limited?: boolean; prev_batch?: string };
type JoinedRoom = { timeline?: Timeline; state?: { events?: MatrixEvent[] } };
type SyncAnswer = KeyNews & {
  next_batch: string;
  rooms?: { join?: Record<string, JoinedRoom>; leave?: Record<string, object> };
};

/** Where the loop puts what it takes; position, facts and items commit in one transaction. */
export type Sink = SealedStore & {
  position(stream: string): string | undefined;
  positionAt?(stream: string): EpochMs | undefined;
  roomFacts(room: RoomId): RoomFacts | undefined;
  take(batch: Batch): InboxItem[];
};

export type SyncOptions = {
  request: Request;
  site: string;
  bot: UserId;
  room: RoomId;
  sink: Sink;
  clock: Clock;
  log: Log;
  /** Only what could concern the bot is stored. */
  wanted(item: NewInboxItem): boolean;
  /** Which secrets stand in a text; a message with one becomes a mark, and its text is not stored. */
  secretsIn?(text: string): FoundSecrets;
  /** New items are there. Must return at once: the sync only takes and never waits for a handler. */
  taken(items: InboxItem[]): void;
  /** Reads what is encrypted; without it, that is heard as silence. */
  envelopes?: Unwrapping;
  /** Further rooms whose events are only shown, by `seen`; asked before each request. */
  alsoRooms?(): readonly RoomId[];
  /** The rooms as an answer has them, before they are sorted: who was thrown out or invited stands here. Returns at once. */
  rooms?(rooms: object | undefined): void;
  /** The homeserver answers again. */
  recovered?(): void;
  /** Events of the further rooms as the sync shows them. */
  seen?(event: MatrixEvent): void;
  /** More was said while away than can be read: what came before this moment is left out. */
  leftOut?(before: EpochMs): void;
};

const stream = 'sync';
const isLocal = (user: UserId, bot: UserId): boolean => serverOf(user) === serverOf(bot);

/** The sync loop: takes, back-fills, commits, and nothing else. */
export class SyncLoop {
  readonly #options: SyncOptions;
  #facts: RoomFacts;
  #cutOff = false;
  readonly #listening: Listening;
  #leave: (nothing: undefined) => void = () => {};
  /** What the last process left sealed is tried once as well: its key may have come just before the end. */
  #tryAllSealed = true;
  readonly #heard = Promise.withResolvers<void>();
  /** Why the last request failed; undefined when it did not. */
  trouble: OpsError | undefined;
  /** Monotonic time of the last good answer. */
  lastAnswerMs: number | undefined;
  /** When the last answer came to a position of this connection: nothing that was said before is missing. */
  heardUntil: EpochMs | undefined;
  #heardMs = -Infinity;

  constructor(options: SyncOptions) {
    this.#options = options;
    this.#listening = new Listening(options.sink.positionAt?.(stream));
    this.#facts = options.sink.roomFacts(options.room) ?? noFacts(options.room);
  }

  /** From then on nothing that is said is missed: a first start begins with its first answer. */
  get listening(): Promise<void> {
    return this.#heard.promise;
  }

  /** Whether what is known of the room is news. Of one that the bot was thrown out of it hears nothing until it is back. */
  get hears(): boolean {
    const isIn = this.#facts.joined.includes(this.#options.bot);
    return isIn && !this.#cutOff && this.#options.clock.monotonicMs() - this.#heardMs < oldMs;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    if (this.#options.sink.position(stream) !== undefined) this.#heard.resolve();
    let waitMs = 500;
    while (!signal.aborted) {
      try {
        await this.once(signal);
        this.#heard.resolve();
        this.lastAnswerMs = clock.monotonicMs();
        this.trouble = undefined;
        waitMs = 500;
        if (this.#cutOff) this.#options.recovered?.();
        this.#cutOff = false;
      } catch (error) {
        if (signal.aborted) return;
        this.#cutOff = true;
        this.#listening.cutOff();
        const ops = asOpsError(error);
        this.trouble = ops;
        log.warn(
          { kind: ops.kind, why: ops.message, cause: causeOf(ops), waitMs },
          'the sync is interrupted; it goes on by itself',
        );
        await clock.sleep(ops.retryAfterMs ?? waitMs, signal).catch(() => {});
        waitMs = Math.min(longestWaitMs, waitMs * 2);
      }
    }
  }

  #filter(first: boolean): string {
    const none = { types: [], limit: 0 };
    return JSON.stringify({
      presence: none,
      account_data: none,
      room: {
        rooms: [this.#options.room, ...(this.#options.alsoRooms?.() ?? [])],
        ephemeral: none,
        account_data: none,
        // Synapse caches an initial sync by its parameters for two minutes: the odd limit makes this one fresh.
        timeline: {
          limit: first ? 1 : pageSize,
          ...(first ? { not_senders: [`@${this.#options.clock.now()}:fresh`] } : {}),
        },
        state: { lazy_load_members: false },
      },
    });
  }

  /** `alsoRooms` has changed: the request under way, which may hang for half a minute, is left alone and asked anew. */
  refilter(): void {
    this.#leave(undefined);
  }

  /**
   * The answer; undefined when the request was left for another one. Races against promises of this request alone: one
   * that lives as long as the loop would keep every answer.
   */
  async #first(poll: Promise<unknown>, stop: AbortSignal): Promise<unknown> {
    const left = Promise.withResolvers<undefined>();
    this.#leave = left.resolve;
    const end = (): void => left.reject(new OpsError('cancelled', 'The bot is stopping.'));
    if (stop.aborted) end();
    stop.addEventListener('abort', end, { once: true });
    try {
      return await Promise.race([poll, left.promise]);
    } finally {
      stop.removeEventListener('abort', end);
    }
  }

  /** One request and its commit; left alone when `stop` comes first. */
  async once(stop: AbortSignal): Promise<void> {
    const { request, room, sink, envelopes, bot } = this.#options;
    // A room that nothing is known of (the settings name another one now) is looked at as at a first start.
    const since = sink.roomFacts(room) === undefined ? undefined : sink.position(stream);
    const query = {
      filter: this.#filter(since === undefined),
      // After a start or an outage an answer is wanted at once: it says what was missed, and that the homeserver is back.
      timeout: since === undefined || !this.#listening.caughtUp ? 0 : longPollMs,
      ...(since === undefined ? {} : { since }),
    };
    const poll = request('GET', '/_matrix/client/v3/sync', query, null, longPollMs + 15_000);
    // Nobody may wait for it any more when it fails.
    poll.catch(() => {});
    const answer = (await this.#first(poll, stop)) as SyncAnswer | undefined;
    if (answer === undefined) return;
    const cameAt = this.#options.clock.now();
    this.#options.rooms?.(answer.rooms);
    const joined = answer.rooms?.join?.[room];
    const timeline = joined?.timeline?.events ?? [];
    // What was said before the bot ever listened is not for it.
    const missed =
      since === undefined || !joined?.timeline?.limited ? [] : await this.#backfill(joined.timeline, since);
    for (const also of this.#options.alsoRooms?.() ?? []) {
      for (const event of answer.rooms?.join?.[also]?.timeline?.events ?? []) this.#options.seen?.(event);
    }
    const events = since === undefined ? [] : [...missed, ...timeline];
    let facts = answer.rooms?.leave?.[room] === undefined ? this.#facts : without(this.#facts, bot);
    const state = joined?.state?.events ?? [];
    for (const event of [...state, ...(events.length > 0 ? events : timeline)]) facts = learn(facts, event);
    facts = await withCreators(facts, request);
    // The keys first: they commit for themselves and may be ahead of the position, never behind.
    const cipher = await keysFor(envelopes, facts);
    const heard = await unwrap(cipher, { facts, news: answer, state, events, bot });
    const isNews = this.#listening.caughtUp;
    this.#store(answer.next_batch, facts, heard, cipher?.mark);
    if (isNews) {
      this.heardUntil = cameAt;
      this.#heardMs = this.#options.clock.monotonicMs();
    }
    if (cipher) await this.#retrySealed(cipher);
  }

  async #retrySealed(cipher: Opening): Promise<void> {
    const { room, sink, wanted, taken } = this.#options;
    const came = cipher.newSessions();
    const all = this.#tryAllSealed;
    if (!all && came.size === 0) return;
    // Until it has gone well: a failure must not leave one behind.
    this.#tryAllSealed = true;
    const isOpen = (session: string): boolean => all || came.has(session);
    const opened = await retrySealed(cipher, { store: sink, room, context: this.#context(), wanted, isOpen });
    this.#tryAllSealed = false;
    if (opened.length > 0) taken(opened);
  }

  #context(): ItemContext {
    const { site, bot, room, clock, secretsIn } = this.#options;
    return { site, room, bot, takenAt: clock.now(), secretsIn };
  }

  /** The events between the last position and a timeline that the server cut short, oldest first. */
  async #backfill(timeline: Timeline, since: string): Promise<MatrixEvent[]> {
    const { request, room, log } = this.#options;
    const events: MatrixEvent[] = [];
    let from = timeline.prev_batch;
    for (let page = 0; from !== undefined && page < mostPages; page += 1) {
      const query = { dir: 'b', from, to: since, limit: pageSize };
      const answer = (await request('GET', `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/messages`, query)) as {
        chunk?: MatrixEvent[];
        end?: string;
      };
      events.push(...(answer.chunk ?? []));
      from = (answer.chunk ?? []).length === 0 ? undefined : answer.end;
    }
    events.reverse();
    if (from !== undefined) {
      log.warn({ pages: mostPages }, 'too much was said while away; the oldest of it was left out');
      this.#options.leftOut?.(events[0]?.origin_server_ts ?? this.#options.clock.now());
    }
    return events;
  }

  #store(position: string, facts: RoomFacts, heard: Heard[], keys: string | undefined): void {
    const { bot, room, sink, wanted, taken, log } = this.#options;
    const context = this.#context();
    const { awayMs, at } = this.#listening.answered(context.takenAt);
    const late = <T extends NewInboxItem>(item: T): T => ({
      ...item,
      lateMs: lateBy({ ...item, awayMs, ownServer: isLocal(item.sender, bot) }),
    });
    const asked = heard.flatMap((one) => (one.sealed ? [] : (itemOf(one.event, context, one.voucher) ?? []))).map(late);
    const sealed = heard.flatMap((one) => (one.sealed ? (sealedItemOf(one, context, log) ?? []) : [])).map(late);
    // Said and taken back while nobody listened, or before it could be read: it asks nothing any more.
    const takenBack = takenBackIn(asked);
    const items = asked.filter((item) => !takenBack(item) && wanted(item));
    const before = asked.some(({ body }) => body.kind === 'withdrawn') ? sink.sealedItems() : [];
    const edited = [...before, ...sealed].filter(takenBack).map(({ key }) => key);
    const rooms = facts === this.#facts && sink.roomFacts(room) !== undefined ? [] : [facts];
    const said = heard.flatMap(({ event }) => (event.sender === bot ? saidBy(event) : []));
    const redacted = heard.flatMap(({ event }) => (event.type === 'm.room.redaction' ? redactedBy(event) : []));
    const fresh = sink.take({
      stream,
      position,
      at,
      items,
      sealed,
      takenBack: [...redacted, ...edited],
      rooms,
      said,
      keys,
    });
    this.#listening.stored(at);
    this.#facts = facts;
    if (fresh.length > 0) taken(fresh);
  }
}
