import { renderHtml, renderText } from './render.ts';
import { type Piece, type Row, clean, dim, plain, rowText, rowWidth } from './rows.ts';
import { type Message, current, isEdited } from './timeline.ts';

/** From whose eyes the room is seen. */
export type View = {
  /** MXID of who types at the moment. */
  me: string;
  bot: string;
  /** MXID to the short name of the people of the sandbox. */
  names: ReadonlyMap<string, string>;
  /** A moment as it is shown beside a name. */
  timeOf: (atMs: number) => string;
};

const botColour = 36;
const colours = [32, 33, 34, 35, 31];

export const nameOf = (user: string, view: View): string =>
  view.names.get(user) ?? clean(/^@([^:]+):/.exec(user)?.[1] ?? user).replaceAll('\n', ' ');

function namePiece(user: string, view: View): Piece {
  const known = [...view.names.keys()].indexOf(user);
  const colour = user === view.bot ? botColour : (colours[Math.max(known, 0) % colours.length] ?? botColour);
  return { text: nameOf(user, view), style: { bold: true, colour } };
}

/** A page rings: only `m.text` notifies, and only whom it mentions. */
export const rings = (message: Message): boolean => message.msgtype === 'm.text' && !message.redacted;
export const pagesMe = (message: Message, view: View): boolean =>
  rings(message) && message.sender !== view.me && current(message).mentions.includes(view.me);

function bodyRows(message: Message, width: number | undefined): Row[] {
  if (message.redacted) return [[dim('(removed)')]];
  const { body, html } = current(message);
  const rows = html === undefined ? renderText(body, width) : renderHtml(html, width);
  const file = ['m.file', 'm.image', 'm.audio', 'm.video'].includes(message.msgtype);
  if (file) rows.unshift([{ text: `[${message.msgtype.slice(2)}]`, style: { inverse: true } }]);
  return rows.length === 0 ? [[]] : rows;
}

/** The body as text without colours or wrapping, as a reader sees it. */
export const messageText = (message: Message): string => bodyRows(message, undefined).map(rowText).join('\n');

function reactionRow(message: Message, view: View): Row[] {
  if (message.reactions.size === 0) return [];
  const row: Row = [];
  for (const [emoji, by] of message.reactions) {
    const who = [...new Set(by.values())];
    const names = who.map((user) => nameOf(user, view)).join(', ');
    if (row.length > 0) row.push(plain('   '));
    row.push(plain(clean(emoji)), { text: ` ${names}`, style: who.includes(view.me) ? { bold: true } : { dim: true } });
  }
  return [row];
}

/** One message: who, when, what, and the reactions on it. `width` in columns, undefined for no limit. */
export function messageRows(message: Message, view: View, width: number | undefined): Row[] {
  const head: Row = [namePiece(message.sender, view), dim(` ${view.timeOf(message.atMs)}  `)];
  if (isEdited(message) && !message.redacted) head.push(dim('✎ '));
  const mine = pagesMe(message, view);
  if (mine) head.push({ text: ` 🔔 PAGE for ${nameOf(view.me, view)} `, style: { bold: true, inverse: true } });
  const body = bodyRows(message, width === undefined ? undefined : Math.max(width - 2, 10));
  const [first, ...rest] = body;
  const inHead = !mine && body.length === 1 && (width === undefined || rowWidth([...head, ...(first ?? [])]) <= width);
  const strong = (row: Row): Row =>
    mine ? row.map(({ text, style }) => ({ text, style: { ...style, bold: true } })) : row;
  const below = [...(inHead ? rest : body).map(strong), ...reactionRow(message, view)];
  return [inHead ? [...head, ...(first ?? [])] : head, ...below.map((row) => [plain('  '), ...row])];
}

/** The first words of a message, to name it where it can't be pointed at. */
export function excerpt(message: Message): string {
  const line =
    messageText(message)
      .split('\n')
      .find((text) => text.trim() !== '') ?? '';
  const words = line.trim();
  return words.length > 60 ? `${words.slice(0, 59)}…` : words;
}
