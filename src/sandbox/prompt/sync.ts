import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { OpsError } from '#domain/errors.ts';
import { type Requests, refusalOf } from './request.ts';
import type { RoomEvent } from './timeline.ts';

export type Feed = {
  /** In the order of the room; each event at least once. */
  onEvents: (events: RoomEvent[]) => void;
  /** The homeserver doesn't answer (`lost`) or does again. */
  onLink: (state: 'lost' | 'back') => void;
};
type Timeline = { events: RoomEvent[]; limited: boolean; prevBatch: string | undefined };

const pollMs = 25_000;
/** More than this many pages of a gap aren't fetched: the room is then told from there on. */
const gapPages = 20;

/** The /sync loop of one client on one room. A gap (a `limited` timeline) is filled from /messages. */
export class RoomSync {
  private readonly requests: Requests;
  private readonly room: string;
  private readonly who: string;
  private readonly signal: AbortSignal;
  private readonly batch: number;
  private since: string | undefined;
  // Synapse answers an initial sync that it has seen before from a cache, up to 2 minutes old: each one is made unlike.
  private readonly nonce = `org.opsroom.none.${randomUUID()}`;

  /** `batch` events at most come at once; what lies between two batches is fetched in pages of that size. */
  constructor(requests: Requests, room: string, who: string, signal: AbortSignal, batch = 100) {
    this.requests = requests;
    this.room = room;
    this.who = who;
    this.signal = signal;
    this.batch = batch;
  }

  /** The first sync: gives the newest `history` events of the room and stands after them. */
  async begin(history: number): Promise<RoomEvent[]> {
    const { events } = await this.step(0, Math.max(history, 1), 'patiently');
    return history === 0 ? [] : events;
  }

  /** Runs until the signal (returns) or until the session ends (throws `denied`). */
  async run(feed: Feed): Promise<void> {
    for (let failures = 0; !this.signal.aborted;) {
      const before = this.since;
      try {
        const timeline = await this.step(pollMs, this.batch);
        if (failures > 0) feed.onLink('back');
        failures = 0;
        const gap = timeline.limited && before !== undefined ? await this.gap(timeline, before) : [];
        const events = [...gap, ...timeline.events];
        if (events.length > 0) feed.onEvents(events);
      } catch (error) {
        if (this.signal.aborted) return;
        if (refusalOf(error)?.status === 401) throw error;
        if (!(error instanceof OpsError)) throw error;
        // What failed after the position moved (filling the gap) is asked for again: events that repeat do no harm.
        this.since = before;
        if (failures === 0) feed.onLink('lost');
        failures += 1;
        await sleep(Math.min(200 * 2 ** failures, 3000), undefined, { signal: this.signal }).catch(() => undefined);
      }
    }
  }

  private async step(timeoutMs: number, limit: number, how: 'once' | 'patiently' = 'once'): Promise<Timeline> {
    const none = { types: [] };
    const filter = {
      presence: none,
      account_data: none,
      room: {
        rooms: [this.room],
        account_data: none,
        ephemeral: none,
        state: none,
        timeline: { limit, not_types: [this.nonce] },
      },
    };
    const query: Record<string, string> = { timeout: String(timeoutMs), filter: JSON.stringify(filter) };
    if (this.since !== undefined) query['since'] = this.since;
    const answer = (await this.requests[how]({
      method: 'GET',
      path: '/_matrix/client/v3/sync',
      query,
      timeoutMs: timeoutMs + 20_000,
      patienceMs: 20_000,
      doing: `follow the room as ${this.who}`,
      signal: this.signal,
    })) as SyncAnswer;
    if (typeof answer.next_batch !== 'string')
      throw new OpsError('unavailable', 'The homeserver sent a sync without a position.');
    this.since = answer.next_batch;
    const timeline = (answer.rooms?.join?.[this.room] ?? answer.rooms?.leave?.[this.room])?.timeline;
    return {
      events: timeline?.events ?? [],
      limited: timeline?.limited === true,
      prevBatch: timeline?.prev_batch,
    };
  }

  private async gap(timeline: Timeline, since: string): Promise<RoomEvent[]> {
    const found: RoomEvent[] = [];
    let from = timeline.prevBatch;
    for (let page = 0; page < gapPages && from !== undefined; page += 1) {
      const answer = (await this.requests.once({
        method: 'GET',
        path: `/_matrix/client/v3/rooms/${encodeURIComponent(this.room)}/messages`,
        query: { dir: 'b', limit: String(this.batch), from, to: since },
        doing: `read what was said meanwhile as ${this.who}`,
        signal: this.signal,
      })) as { chunk?: RoomEvent[]; end?: string };
      found.push(...(answer.chunk ?? []));
      from = answer.end;
    }
    return found.toReversed();
  }
}

type SyncRoom = { timeline?: { events?: RoomEvent[]; limited?: boolean; prev_batch?: string } };
type SyncAnswer = {
  next_batch?: string;
  rooms?: { join?: Record<string, SyncRoom>; leave?: Record<string, SyncRoom> };
};
