import { call, type Session } from '#sandbox/synapse-client.ts';

type Event = {
  event_id: string;
  sender: string;
  content: { 'm.relates_to'?: { event_id?: string } };
};
type SyncAnswer = {
  next_batch: string;
  rooms?: { join?: Record<string, { timeline?: { events?: Event[] } }> };
};

const longPollMs = 20_000;
const answerWithinMs = 20_000;
const pingAgainMs = 1000;
const mostPings = 30;

/** The one who types commands and looks for the answers in a sync of their own; times are of `performance.now()`. */
export class Operator {
  readonly #url: string;
  readonly #session: Session;
  readonly #filter: string;
  readonly #stop = new AbortController();
  readonly #seen = new Map<string, number>();
  readonly #waiting = new Map<string, () => void>();
  #transaction = 0;
  #loop: Promise<void> | undefined;

  constructor(url: string, session: Session, rooms: readonly string[]) {
    this.#url = url;
    this.#session = session;
    const none = { types: [] };
    const room = { rooms, timeline: { limit: 50 }, state: none, ephemeral: none, account_data: none };
    this.#filter = encodeURIComponent(JSON.stringify({ room, presence: none, account_data: none }));
  }

  async open(): Promise<void> {
    const { next_batch: first } = await this.#sync(undefined);
    this.#loop = this.#listen(first);
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#loop;
  }

  /** Types a line. Gives its event and when the homeserver had answered. */
  async say(room: string, body: string): Promise<{ event: string; saidAt: number }> {
    this.#transaction += 1;
    const path = `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/send/m.room.message/b${process.pid}.${this.#transaction}`;
    const content = { msgtype: 'm.text', body, 'm.mentions': {} };
    const made = await call<{ event_id: string }>(this.#url, 'PUT', path, this.#session.token, content);
    return { event: made.event_id, saidAt: performance.now() };
  }

  /** When the answer to a line came. Throws when none comes in time. */
  async answered(event: string, withinMs = answerWithinMs): Promise<number> {
    const before = this.#seen.get(event);
    if (before !== undefined) return before;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`No answer in ${withinMs / 1000} s.`)), withinMs);
    });
    const come = new Promise<void>((resolve) => this.#waiting.set(event, resolve));
    try {
      await Promise.race([come, late]);
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(event);
    }
    return this.#seen.get(event) ?? 0;
  }

  /** One `!ping`, from the homeserver's 200 to the answer in the sync. */
  async pingMs(room: string): Promise<number> {
    const { event, saidAt } = await this.say(room, '!ping');
    return (await this.answered(event)) - saidAt;
  }

  /** Says `!ping` until it is answered: what was said before a bot first listened is not for it. */
  async awaken(room: string): Promise<void> {
    for (let attempt = 0; attempt < mostPings; attempt += 1) {
      const { event } = await this.say(room, '!ping');
      const isThere = await this.answered(event, pingAgainMs).then(
        () => true,
        () => false,
      );
      if (isThere) return;
    }
    throw new Error(`Nobody answers in ${room}.`);
  }

  async #listen(first: string): Promise<void> {
    let since = first;
    while (!this.#stop.signal.aborted) {
      const answer = await this.#sync(since).catch((error: unknown) => {
        if (this.#stop.signal.aborted) return undefined;
        throw error;
      });
      if (answer === undefined) return;
      const at = performance.now();
      since = answer.next_batch;
      for (const room of Object.values(answer.rooms?.join ?? {})) {
        for (const event of room.timeline?.events ?? []) this.#note(event, at);
      }
    }
  }

  #note(event: Event, at: number): void {
    const about = event.content['m.relates_to']?.event_id;
    if (about === undefined || event.sender === this.#session.userId || this.#seen.has(about)) return;
    this.#seen.set(about, at);
    this.#waiting.get(about)?.();
  }

  async #sync(since: string | undefined): Promise<SyncAnswer> {
    const position = since === undefined ? 'timeout=0' : `timeout=${longPollMs}&since=${encodeURIComponent(since)}`;
    const reply = await fetch(`${this.#url}/_matrix/client/v3/sync?filter=${this.#filter}&${position}`, {
      headers: { authorization: `Bearer ${this.#session.token}` },
      signal: AbortSignal.any([this.#stop.signal, AbortSignal.timeout(longPollMs + 10_000)]),
    });
    if (!reply.ok) throw new Error(`Synapse refused the operator's sync (${reply.status}).`);
    return (await reply.json()) as SyncAnswer;
  }
}
