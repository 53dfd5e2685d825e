import type { UserId } from '#domain/accounts.ts';
import type { OutboxRow } from '#domain/outbox.ts';
import type { Request } from './client.ts';
import type { MatrixEvent } from './events.ts';

/**
 * On every event of the bot: the transaction that it was sent by. It tells nothing but itself, so it stands outside the
 * ciphertext: an event of another session of the bot is recognised by it too.
 */
export const txnKey = 'org.opsroom.txn';

const pageSize = 100;
// 50,000 events of the bot in little more than a day; then it is said again rather than never.
const mostPages = 500;
// The homeserver's clock and the bot's may differ.
const marginMs = 3_600_000;

/** Looks for what may be in a room already, in the bot's own events, newest first. */
export class ReadBack {
  readonly #request: Request;
  readonly #bot: UserId;
  /** What the last look saw of each room, down to that time. */
  readonly #looked = new Map<string, { downTo: number; events: Map<string, string> }>();
  /** Sent since that look, by room: only a new one would tell of them. */
  readonly #sentSince = new Map<string, Set<string>>();

  constructor(options: { request: Request; bot: UserId }) {
    this.#request = options.request;
    this.#bot = options.bot;
  }

  sending(room: string, txn: string): void {
    this.#sentSince.get(room)?.add(txn);
  }

  /** The event of that transaction, when the room has it. Throws when the room can't be read. */
  async find(row: OutboxRow, txn: string): Promise<string | undefined> {
    const downTo = (row.firstTryAt ?? 0) - marginMs;
    const known = this.#looked.get(row.room);
    const looked =
      known !== undefined && known.downTo <= downTo && !this.#sentSince.get(row.room)?.has(txn)
        ? known
        : await this.#look(row, downTo);
    return looked.events.get(txn);
  }

  async #look(row: OutboxRow, downTo: number): Promise<{ downTo: number; events: Map<string, string> }> {
    const events = new Map<string, string>();
    // What is sent while this looks is not surely seen.
    this.#sentSince.set(row.room, new Set());
    const filter = JSON.stringify({ senders: [this.#bot] });
    const path = `/_matrix/client/v3/rooms/${encodeURIComponent(row.room)}/messages`;
    let from: string | undefined;
    for (let page = 0; page < mostPages; page += 1) {
      const query = { dir: 'b', limit: pageSize, filter, ...(from === undefined ? {} : { from }) };
      const answer = (await this.#request('GET', path, query)) as { chunk?: MatrixEvent[]; end?: string };
      const chunk = answer.chunk ?? [];
      for (const event of chunk) note(events, event);
      // A filtered page may be empty, or short, long before the room's beginning.
      if (answer.end === undefined || answer.end === from || chunk.some((event) => isBefore(event, downTo))) break;
      from = answer.end;
    }
    const looked = { downTo, events };
    this.#looked.set(row.room, looked);
    return looked;
  }
}

const isBefore = (event: MatrixEvent, at: number): boolean => (event.origin_server_ts ?? Infinity) < at;

function note(events: Map<string, string>, { event_id: id, content, unsigned }: MatrixEvent): void {
  if (id === undefined) return;
  for (const txn of [unsigned?.['transaction_id'], content?.[txnKey]]) if (typeof txn === 'string') events.set(txn, id);
}
