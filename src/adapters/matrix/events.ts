import { parseUserId, type UserId } from '#domain/accounts.ts';
import type { EpochMs } from '#domain/clock.ts';
import type { InboxBody, NewInboxItem, Proof } from '#domain/inbox.ts';
import type { RoomId } from '#domain/rooms.ts';
import type { FoundSecrets } from '#domain/scrubber.ts';

export type MatrixEvent = {
  event_id?: string;
  type?: string;
  sender?: string;
  state_key?: string;
  origin_server_ts?: number;
  content?: Record<string, unknown>;
  redacts?: string;
  unsigned?: Record<string, unknown>;
};

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');
const recordOf = (value: unknown): Record<string, unknown> =>
  value !== null && typeof value === 'object' ? (value as Record<string, unknown>) : {};

/** A reply quotes what it answers, each line behind `> `; only what comes after the first empty line was typed. */
function withoutQuote(body: string, isReply: boolean): string {
  if (!isReply || !body.startsWith('> ')) return body;
  const lines = body.split('\n');
  const end = lines.findIndex((line) => !line.startsWith('>'));
  return end === -1 ? '' : lines.slice(lines[end] === '' ? end + 1 : end).join('\n');
}

/** The links of a formatted body; pills are links to matrix.to. Its time is linear in what a stranger sends. */
export function linksOf(html: string): Array<{ href: string; text: string }> {
  const quote = html.indexOf('<mx-reply>');
  const quoteEnd = quote === -1 ? -1 : html.indexOf('</mx-reply>', quote);
  const clean = quoteEnd === -1 ? html : html.slice(0, quote) + html.slice(quoteEnd);
  const links: Array<{ href: string; text: string }> = [];
  // Each piece begins inside a tag, right after its "<".
  const [, ...pieces] = clean.split('<');
  let open: { href: string; text: string } | undefined;
  for (const piece of pieces) {
    const end = piece.indexOf('>');
    const tag = end === -1 ? piece : piece.slice(0, end);
    const name = /^\/?[a-z0-9]*/i.exec(tag)?.[0].toLowerCase();
    if (name === 'a') {
      const href = /\shref=(?:"([^"]*)"|'([^']*)')/i.exec(tag);
      open = href ? { href: unescapeHtml(href[1] ?? href[2] ?? ''), text: '' } : undefined;
    }
    if (open && name === '/a') {
      links.push({ ...open, text: unescapeHtml(open.text) });
      open = undefined;
    } else if (open && end !== -1) open.text += piece.slice(end + 1);
  }
  return links;
}

const entities: Record<string, string> = { lt: '<', gt: '>', quot: '"', amp: '&', apos: "'", nbsp: '\u00a0' };
const unescapeHtml = (text: string): string =>
  text.replaceAll(
    /&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|(lt|gt|quot|amp|apos|nbsp));/gi,
    (whole, decimal?: string, hex?: string, name?: string) => {
      if (name !== undefined) return entities[name.toLowerCase()] ?? whole;
      const code = decimal === undefined ? Number.parseInt(hex ?? '', 16) : Number(decimal);
      return code <= 0x10_ff_ff ? String.fromCodePoint(code) : whole;
    },
  );

/** What an event asks, or undefined when it asks nothing: notices, edits' new texts, other types. */
export function bodyOf(event: MatrixEvent): InboxBody | undefined {
  const content = event.content ?? {};
  const relates = recordOf(content['m.relates_to']);
  if (event.type === 'm.room.redaction') {
    const target = textOf(event.redacts) || textOf(content['redacts']);
    return target ? { kind: 'withdrawn', event: target } : undefined;
  }
  if (event.type === 'm.reaction') {
    if (relates['rel_type'] !== 'm.annotation') return undefined;
    return { kind: 'reaction', emoji: textOf(relates['key']), on: textOf(relates['event_id']) };
  }
  if (event.type !== 'm.room.message') return undefined;
  if (relates['rel_type'] === 'm.replace') return { kind: 'withdrawn', event: textOf(relates['event_id']) };
  if (content['msgtype'] !== 'm.text') return undefined;
  const text = withoutQuote(textOf(content['body']), 'm.in_reply_to' in relates);
  return { kind: 'message', text, links: linksOf(textOf(content['formatted_body'])) };
}

export function threadOf(event: MatrixEvent): string | undefined {
  const relates = recordOf(event.content?.['m.relates_to']);
  return relates['rel_type'] === 'm.thread' ? textOf(relates['event_id']) || undefined : undefined;
}

export type ItemContext = {
  site: string;
  room: RoomId;
  bot: UserId;
  takenAt: EpochMs;
  secretsIn?: ((text: string) => FoundSecrets) | undefined;
};

/** A message in which a secret stands, wherever in it: as a notice, in the formatted text, in an edit, as a file's name. */
function leakOf(event: MatrixEvent, secretsIn: ItemContext['secretsIn']): InboxBody | undefined {
  if (secretsIn === undefined || event.type !== 'm.room.message') return undefined;
  const secrets = secretsIn(textsOf(event.content).join('\n\0'));
  return secrets.settings.length + secrets.shapes.length > 0 ? { kind: 'leaked', secrets } : undefined;
}

/** Every text in it. Not by recursion: a stranger chooses how deep it is. */
function textsOf(value: unknown): string[] {
  const texts: string[] = [];
  const left = [value];
  while (left.length > 0) {
    const next = left.pop();
    if (typeof next === 'string') texts.push(next);
    else if (typeof next === 'object' && next !== null)
      for (const [key, item] of Object.entries(next)) left.push(item, key);
  }
  return texts;
}

/** How sure it is that the sender sent it, and with which device. */
export type Voucher = { proof: Proof; device: string | undefined };
const nothingVouches: Voucher = { proof: 'clear', device: undefined };

/** As its server says, if that is a moment at all: the memory takes no other number. */
export const sentAt = ({ origin_server_ts: at }: MatrixEvent, otherwise: EpochMs): EpochMs =>
  Number.isSafeInteger(at) ? (at as EpochMs) : otherwise;

/** The event as an item of the inbox; undefined when it asks nothing or is the bot's own. */
export function itemOf(
  event: MatrixEvent,
  context: ItemContext,
  voucher: Voucher = nothingVouches,
): NewInboxItem | undefined {
  if (!event.event_id || !event.sender || event.sender === context.bot) return undefined;
  const body = leakOf(event, context.secretsIn) ?? bodyOf(event);
  if (body === undefined) return undefined;
  let sender: UserId;
  try {
    sender = parseUserId(event.sender);
  } catch {
    return undefined;
  }
  return {
    source: 'matrix',
    key: event.event_id,
    site: context.site,
    room: context.room,
    thread: threadOf(event),
    sender,
    device: voucher.device,
    proof: body.kind === 'reaction' ? 'reaction' : voucher.proof,
    body,
    sentAt: sentAt(event, context.takenAt),
    takenAt: context.takenAt,
  };
}

/** Whoever may take a message back: one that nobody could read yet is never read. */
export function redactedBy({ redacts, content }: MatrixEvent): string[] {
  const target = redacts ?? content?.['redacts'];
  return typeof target === 'string' ? [target] : [];
}

/** Our own event comes with the transaction that it was sent by, and before any reaction on it. */
export function saidBy({ event_id: event, unsigned }: MatrixEvent): Array<{ txn: string; event: string }> {
  const txn = unsigned?.['transaction_id'];
  return event !== undefined && typeof txn === 'string' ? [{ txn, event }] : [];
}
