import { OpsError } from '#domain/errors.ts';
import type { Outgoing } from '#domain/messages.ts';
import type { OpsRoom } from '#domain/ops-room.ts';
import type { OutboxRow } from '#domain/outbox.ts';
import type { MatrixConnection } from './client.ts';
import { render } from './render.ts';

/**
 * Above this (as JSON) a message is cut and its whole text goes along as a file: an event may have 65,536 bytes in all,
 * and an edit holds the texts twice.
 */
const longestBytes = 30_000;
const shownWhenCut = 2000;
const longestTitle = 500;

type EventOf = (outbox: number) => string | undefined;
type File = { name: string; mime: string; content: string };

function resolve(target: { event: string } | { outbox: number }, eventOf: EventOf): string {
  const event = 'event' in target ? target.event : eventOf(target.outbox);
  if (event === undefined) throw new OpsError('notFound', 'What this refers to was never said.');
  return event;
}

/** The content of a message event, and the files that go after it. */
export function messageContent(
  row: OutboxRow,
  content: Outgoing & { kind: 'message' },
  eventOf: EventOf,
): { content: Record<string, unknown>; files: File[] } {
  const files: File[] = [...(content.reply.files ?? [])];
  let { body, html } = render(content.reply);
  if (Buffer.byteLength(JSON.stringify([body, html])) > longestBytes) {
    files.push({
      name: `${content.mark.command ?? 'answer'}.txt`.replaceAll(' ', '-'),
      mime: 'text/plain',
      content: body,
    });
    const whole = render({ title: content.reply.title }).body;
    const title = whole.length > longestTitle ? `${whole.slice(0, longestTitle)}…` : content.reply.title;
    const cut = {
      ...content.reply,
      title,
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
    'm.mentions': content.mentions.length > 0 ? { user_ids: content.mentions } : {},
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

/** Speaks in Matrix rooms. Each event has a transaction id of its row, so a repeated send is one event. */
export class MatrixOpsRoom implements OpsRoom {
  readonly #connection: MatrixConnection;

  constructor(connection: MatrixConnection) {
    this.#connection = connection;
  }

  async #put(row: OutboxRow, type: string, content: object, suffix = ''): Promise<string> {
    const path = `/_matrix/client/v3/rooms/${encodeURIComponent(row.room)}/send/${type}/${row.txn}${suffix}`;
    const answer = await this.#connection.request('PUT', path, null, content);
    return String(answer['event_id']);
  }

  async send(row: OutboxRow, eventOf: EventOf): Promise<string> {
    const { content } = row;
    if (content.kind === 'message') {
      const message = messageContent(row, content, eventOf);
      const event = await this.#put(row, 'm.room.message', message.content);
      for (const [index, file] of message.files.entries()) await this.#file(row, file, `.f${index}`);
      return event;
    }
    if (content.kind === 'reaction') {
      const target = resolve(content.on, eventOf);
      const relates = { rel_type: 'm.annotation', event_id: target, key: content.emoji };
      try {
        return await this.#put(row, 'm.reaction', { 'm.relates_to': relates });
      } catch (error) {
        if (error instanceof OpsError && error.cause === 'M_DUPLICATE_ANNOTATION') return 'already there';
        throw error;
      }
    }
    const target = resolve(content.of, eventOf);
    const path = `/_matrix/client/v3/rooms/${encodeURIComponent(row.room)}/redact/${encodeURIComponent(target)}/${row.txn}`;
    return String((await this.#connection.request('PUT', path, null, {}))['event_id']);
  }

  async #file(row: OutboxRow, file: File, suffix: string): Promise<void> {
    const content = Buffer.from(file.content);
    const url = await this.#connection.upload(content, file.mime, file.name);
    await this.#put(
      row,
      'm.room.message',
      {
        msgtype: 'm.file',
        body: file.name,
        filename: file.name,
        url,
        info: { mimetype: file.mime, size: content.length },
        'm.mentions': {},
        ...relation(row),
      },
      suffix,
    );
  }
}
