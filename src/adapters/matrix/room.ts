import { OpsError } from '#domain/errors.ts';
import type { UserId } from '#domain/accounts.ts';
import type { Outgoing } from '#domain/messages.ts';
import type { OpsRoom } from '#domain/ops-room.ts';
import type { OutboxRow } from '#domain/outbox.ts';
import type { RoomId } from '#domain/rooms.ts';
import type { MatrixConnection } from './client.ts';
import { type FileKey, sealFile } from './crypto/attachments.ts';
import { ReadBack, txnKey } from './read-back.ts';
import { render } from './render.ts';

/**
 * Above this (as JSON) a message is cut and its whole text goes along as a file: an event may have 65,536 bytes in all,
 * and an edit holds the texts twice.
 */
const longestBytes = 30_000;
const shownWhenCut = 2000;
const longestTitle = 500;
const mostMentions = 50;
const mostOffers = 10;
const mostParts = 16;

type Uploaded = { url: string } | { file: FileKey & { url: string } };
type EventOf = (outbox: number) => string | undefined;
type File = { name: string; mime: string; content: string };

function resolve(target: { event: string } | { outbox: number }, eventOf: EventOf): string {
  const event = 'event' in target ? target.event : eventOf(target.outbox);
  if (event === undefined) throw new OpsError('notFound', 'What this refers to was never said.');
  return event;
}

/**
 * The content of a message event, and the files that go after it. `small`: the homeserver found it too large, so it is cut
 * to what any takes.
 */
export function messageContent(
  row: OutboxRow,
  content: Outgoing & { kind: 'message' },
  eventOf: EventOf,
  small = false,
): { content: Record<string, unknown>; files: File[] } {
  const files: File[] = [...(content.reply.files ?? [])];
  let { body, html } = render(content.reply);
  const mentions = small ? content.mentions.slice(0, mostMentions) : content.mentions;
  if (small || Buffer.byteLength(JSON.stringify([body, html])) > longestBytes) {
    files.push({
      name: `${content.mark.command ?? 'answer'}.txt`.replaceAll(' ', '-'),
      mime: 'text/plain',
      content: body,
    });
    const whole = render({ title: content.reply.title }).body;
    const title = whole.length > longestTitle ? `${whole.slice(0, longestTitle)}…` : content.reply.title;
    const short = ({ text, command }: { text: string; command: string }): boolean =>
      text.length + command.length <= longestTitle;
    const cut = {
      ...content.reply,
      title,
      offers: (content.reply.offers ?? []).filter(short).slice(0, mostOffers),
      blocks: [
        { kind: 'text' as const, lines: [`${body.slice(0, shownWhenCut)}…`, 'The whole text is in the file below.'] },
      ],
    };
    ({ body, html } = render(cut));
  }
  const fresh: Record<string, unknown> = {
    msgtype: content.rings ? 'm.text' : 'm.notice',
    body,
    format: 'org.matrix.custom.html',
    formatted_body: html,
    'm.mentions': mentions.length > 0 ? { user_ids: mentions } : {},
    'org.opsroom': { v: 1, ...content.mark },
  };
  if (row.replaces !== undefined) {
    const edited = eventOf(row.replaces);
    // The message it edits never made it: then this one stands in for it.
    if (edited !== undefined) {
      return {
        content: {
          ...fresh,
          body: `* ${body}`,
          'm.mentions': {},
          'm.new_content': fresh,
          'm.relates_to': { rel_type: 'm.replace', event_id: edited },
        },
        files,
      };
    }
  }
  return { content: { ...fresh, ...relation(row) }, files };
}

function relation(row: OutboxRow): Record<string, unknown> {
  if (row.thread === undefined) return {};
  return {
    'm.relates_to': {
      rel_type: 'm.thread',
      event_id: row.thread,
      is_falling_back: true,
      'm.in_reply_to': { event_id: row.inReplyTo ?? row.thread },
    },
  };
}

const isTooLarge = (error: unknown): boolean => error instanceof OpsError && error.cause === 'M_TOO_LARGE';

/** How a message leaves for a room: as it is, or in an envelope. */
export type Sealing = {
  /** Throws when nobody can tell. */
  isEncrypted(room: RoomId): Promise<boolean>;
  seal(room: RoomId, type: string, content: object): Promise<{ type: string; content: object }>;
};
const inTheClear: Sealing = {
  isEncrypted: () => Promise.resolve(false),
  seal: (_room, type, content) => Promise.resolve({ type, content }),
};

/**
 * Speaks in Matrix rooms. Each event has a transaction id of its row, so a repeated send is one event; in an encrypted
 * room too, though each try is encrypted anew.
 */
export class MatrixOpsRoom implements OpsRoom {
  readonly #connection: MatrixConnection;
  readonly #readBack: ReadBack;
  readonly #envelopes: Sealing;

  constructor(connection: MatrixConnection, bot: UserId, envelopes: Sealing = inTheClear) {
    this.#connection = connection;
    this.#readBack = new ReadBack({ request: connection.request, bot });
    this.#envelopes = envelopes;
  }

  async #put(row: OutboxRow, type: string, content: object, look: boolean, suffix = ''): Promise<string> {
    const txn = `${row.txn}${suffix}`;
    const there = look ? await this.#readBack.find(row, txn) : undefined;
    if (there !== undefined) return there;
    // Reactions stay in the clear: no client reads them otherwise.
    const sent = type === 'm.reaction' ? { type, content } : await this.#envelopes.seal(row.room, type, content);
    this.#readBack.sending(row.room, txn);
    const path = `/_matrix/client/v3/rooms/${encodeURIComponent(row.room)}/send/${sent.type}/${txn}`;
    // Outside of the envelope, so that it is found again without a key; it says nothing but which row it was.
    const answer = await this.#connection.request('PUT', path, null, { ...sent.content, [txnKey]: txn });
    return String(answer['event_id']);
  }

  async send(row: OutboxRow, eventOf: EventOf, _signal?: AbortSignal, look = false): Promise<string> {
    const { content } = row;
    if (content.kind === 'message') return this.#message(row, content, eventOf, look);
    if (content.kind === 'reaction') {
      const target = resolve(content.on, eventOf);
      const relates = { rel_type: 'm.annotation', event_id: target, key: content.emoji };
      try {
        return await this.#put(row, 'm.reaction', { 'm.relates_to': relates }, look);
      } catch (error) {
        if (error instanceof OpsError && error.cause === 'M_DUPLICATE_ANNOTATION') return 'already there';
        throw error;
      }
    }
    const target = resolve(content.of, eventOf);
    const path = `/_matrix/client/v3/rooms/${encodeURIComponent(row.room)}/redact/${encodeURIComponent(target)}/${row.txn}`;
    return String((await this.#connection.request('PUT', path, null, {}))['event_id']);
  }

  async #message(
    row: OutboxRow,
    said: Outgoing & { kind: 'message' },
    eventOf: EventOf,
    look: boolean,
  ): Promise<string> {
    let message = messageContent(row, said, eventOf);
    let event: string;
    try {
      event = await this.#put(row, 'm.room.message', message.content, look);
    } catch (error) {
      if (!isTooLarge(error)) throw error;
      // Refused, so surely not there: the same transaction may carry less.
      message = messageContent(row, said, eventOf, true);
      event = await this.#put(row, 'm.room.message', message.content, look);
    }
    for (const [index, file] of message.files.entries()) await this.#file(row, file, look, `.f${index}`);
    return event;
  }

  /** In an encrypted room the homeserver sees neither what is in it nor what it is called. */
  async #upload(room: RoomId, { mime, name }: File, content: Buffer): Promise<Uploaded> {
    if (!(await this.#envelopes.isEncrypted(room))) return { url: await this.#connection.upload(content, mime, name) };
    const { sealed, file } = sealFile(content);
    const url = await this.#connection.upload(sealed, 'application/octet-stream', 'file');
    return { file: { ...file, url } };
  }

  /** A file that the homeserver finds too large goes in halves. */
  async #file(row: OutboxRow, file: File, look: boolean, suffix: string, parts = 1): Promise<void> {
    const content = Buffer.from(file.content);
    let upload: Uploaded;
    try {
      upload = await this.#upload(row.room, file, content);
    } catch (error) {
      if (!isTooLarge(error) || parts * 2 > mostParts) throw error;
      const middle = Math.ceil(file.content.length / 2);
      for (const [at, half] of [file.content.slice(0, middle), file.content.slice(middle)].entries()) {
        const name = file.name.replace(/(\.[^.]*)?$/, (ending: string) => `-${at + 1}${ending}`);
        await this.#file(row, { ...file, name, content: half }, look, `${suffix}.${at}`, parts * 2);
      }
      return;
    }
    await this.#put(
      row,
      'm.room.message',
      {
        msgtype: 'm.file',
        body: file.name,
        filename: file.name,
        ...upload,
        info: { mimetype: file.mime, size: content.length },
        'm.mentions': {},
        ...relation(row),
      },
      look,
      suffix,
    );
  }
}
