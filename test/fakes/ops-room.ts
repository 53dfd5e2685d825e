import { messageContent } from '#adapters/matrix/room.ts';
import { OpsError } from '#domain/errors.ts';
import type { Mark, Outgoing } from '#domain/messages.ts';
import type { OpsRoom } from '#domain/ops-room.ts';
import type { OutboxRow } from '#domain/outbox.ts';

type EventOf = (outbox: number) => string | undefined;

/** One event of the room, in the order in which they came. */
export type RoomEvent = {
  id: string;
  outbox: number;
  kind: 'message' | 'edit' | 'reaction' | 'redaction';
  /** The text as it stands (of an edit: the new one); the emoji of a reaction. */
  text: string;
  html: string;
  mark: Mark | undefined;
  rings: boolean;
  mentions: string[];
  thread: string | undefined;
  /** What an edit, a reaction or a redaction is about. */
  on: string | undefined;
  content: Record<string, unknown>;
};

/** A room that takes each transaction once and refuses when it is told to. Events have the real adapter's content. */
export class FakeOpsRoom implements OpsRoom {
  readonly events: RoomEvent[] = [];
  /** Every try, also those that were refused. */
  readonly tries: Array<{ outbox: number; txn: string; lane: string; error: string | undefined }> = [];
  readonly #byTxn = new Map<string, RoomEvent>();
  readonly #planned: Array<{ error: OpsError; taken: boolean }> = [];
  readonly #inRoom = new Map<string, RoomEvent>();
  /** How often the room was searched for what it may have. */
  looks = 0;
  /** While set, every send waits for it. */
  gate: Promise<void> | undefined;

  /** The next sends are refused: nothing gets into the room. */
  refuse(error: OpsError, times = 1): void {
    for (let n = 0; n < times; n += 1) this.#planned.push({ error, taken: false });
  }

  limit(retryAfterMs: number, times = 1): void {
    this.refuse(new OpsError('limited', 'The homeserver limits how fast the bot may speak.', { retryAfterMs }), times);
  }

  /** The next sends get into the room, yet their answer is lost. */
  loseAnswer(times = 1): void {
    const error = new OpsError('unavailable', 'The homeserver did not answer.', { effect: 'unknown' });
    for (let n = 0; n < times; n += 1) this.#planned.push({ error, taken: true });
  }

  /** Nothing of what was planned happens any more. */
  heal(): void {
    this.#planned.length = 0;
  }

  /** A day later no transaction is known any more; the events are still there. */
  forget(): void {
    this.#byTxn.clear();
  }

  async send(row: OutboxRow, eventOf: EventOf, _signal?: AbortSignal, look = false): Promise<string> {
    await this.gate;
    // A real request never ends in the same turn.
    await Promise.resolve();
    if (look) this.looks += 1;
    const there = look ? this.#inRoom.get(row.txn) : undefined;
    if (there !== undefined) return there.id;
    const planned = this.#planned.shift();
    this.tries.push({ outbox: row.id, txn: row.txn, lane: row.lane, error: planned?.error.kind });
    if (planned && !planned.taken) throw planned.error;
    const event = this.#byTxn.get(row.txn) ?? this.#take(row, eventOf);
    if (planned) throw planned.error;
    return event.id;
  }

  #take(row: OutboxRow, eventOf: EventOf): RoomEvent {
    const event = eventFrom(row, eventOf, `$e${this.events.length + 1}`);
    this.events.push(event);
    this.#byTxn.set(row.txn, event);
    this.#inRoom.set(row.txn, event);
    return event;
  }

  /** The messages as a client shows them now: edits applied, redacted ones gone. */
  messages(): RoomEvent[] {
    const gone = new Set(this.events.filter(({ kind }) => kind === 'redaction').map(({ on }) => on));
    return this.events
      .filter(({ kind, id }) => kind === 'message' && !gone.has(id))
      .map((message) => {
        const edit = this.events.findLast(({ kind, on }) => kind === 'edit' && on === message.id);
        return edit ? { ...message, text: edit.text, html: edit.html, mark: edit.mark } : message;
      });
  }

  /** The emoji that stand on an event now. */
  reactionsOn(event: string): string[] {
    const gone = new Set(this.events.filter(({ kind }) => kind === 'redaction').map(({ on }) => on));
    return this.events
      .filter(({ kind, on, id }) => kind === 'reaction' && on === event && !gone.has(id))
      .map(({ text }) => text);
  }

  texts(): string[] {
    return this.messages().map(({ text }) => text);
  }
}

function targetOf(target: { event: string } | { outbox: number }, eventOf: EventOf): string {
  const event = 'event' in target ? target.event : eventOf(target.outbox);
  if (event === undefined) throw new OpsError('notFound', 'What this refers to was never said.');
  return event;
}

function eventFrom(row: OutboxRow, eventOf: EventOf, id: string): RoomEvent {
  const common = {
    id,
    outbox: row.id,
    html: '',
    mark: undefined,
    rings: false,
    mentions: [],
    thread: row.thread,
    content: {},
  };
  const { content: said } = row;
  if (said.kind === 'reaction')
    return { ...common, kind: 'reaction', text: said.emoji, on: targetOf(said.on, eventOf) };
  if (said.kind === 'redaction') return { ...common, kind: 'redaction', text: '', on: targetOf(said.of, eventOf) };
  return messageFrom(row, said, eventOf, common);
}

function messageFrom(
  row: OutboxRow,
  said: Outgoing & { kind: 'message' },
  eventOf: EventOf,
  common: Omit<RoomEvent, 'kind' | 'text' | 'on'>,
): RoomEvent {
  const { content } = messageContent(row, said, eventOf);
  const relates = content['m.relates_to'] as { rel_type?: string; event_id?: string } | undefined;
  const isEdit = relates?.rel_type === 'm.replace';
  const shown = (isEdit ? content['m.new_content'] : content) as Record<string, unknown>;
  return {
    ...common,
    kind: isEdit ? 'edit' : 'message',
    text: String(shown['body']),
    html: String(shown['formatted_body']),
    mark: said.mark,
    rings: content['msgtype'] === 'm.text',
    mentions: (content['m.mentions'] as { user_ids?: string[] }).user_ids ?? [],
    on: isEdit ? relates.event_id : undefined,
    content,
  };
}
