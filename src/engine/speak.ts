import type { UserId } from '#domain/accounts.ts';
import type { EpochMs } from '#domain/clock.ts';
import type { OpsError } from '#domain/errors.ts';
import type { Ledger } from '#domain/ledger.ts';
import type { Line, Mark, Outgoing, Reply, Span } from '#domain/messages.ts';
import type { NewOutboxRow } from '#domain/outbox.ts';
import type { Where } from '#domain/runs.ts';

/** Where an answer goes, and in which order with others of the same lane. */
export type Address = { site: string; where: Where; lane: string; about: NewOutboxRow['about']; at: EpochMs };

export const laneOf = (key: string): string => `c:${key}`;

function row(ledger: Ledger, address: Address, content: Outgoing, extra: Partial<NewOutboxRow> = {}): NewOutboxRow {
  return {
    id: ledger.reserve('outbox'),
    site: address.site,
    about: address.about,
    lane: address.lane,
    collapse: undefined,
    room: address.where.room,
    // An answer is a thread on the command; in a thread already, that thread.
    thread: address.where.thread ?? address.where.event,
    inReplyTo: address.where.event,
    replaces: undefined,
    content,
    dueAt: address.at,
    ...extra,
  };
}

export type SayOptions = {
  rings?: boolean;
  mentions?: UserId[];
  /** Edits what this row became. */
  replaces?: number | undefined;
  collapse?: string;
};

export function say(
  ledger: Ledger,
  address: Address,
  reply: Reply,
  mark: Mark,
  options: SayOptions = {},
): NewOutboxRow {
  const content: Outgoing = {
    kind: 'message',
    rings: options.rings ?? false,
    reply,
    mentions: options.mentions ?? [],
    mark,
  };
  return row(ledger, address, content, {
    replaces: options.replaces,
    ...(options.collapse === undefined ? {} : { collapse: options.collapse }),
  });
}

export const react = (
  ledger: Ledger,
  address: Address,
  emoji: string,
  on: { event: string } | { outbox: number },
): NewOutboxRow => row(ledger, address, { kind: 'reaction', emoji, on });

/** Shown on a command while it takes longer than a moment. */
export const signOfLife = '⏳';

/** The sign of life that stands on a command already: one process may set it and the next, after a crash, take it back. */
export const signAbout = (ledger: Ledger, about: NewOutboxRow['about']): number | undefined =>
  ledger.outboxAbout(about).find(({ content }) => content.kind === 'reaction' && content.emoji === signOfLife)?.id;

/** Takes an event of somebody else out of the room. */
export const takeOut = (ledger: Ledger, address: Address, event: string): NewOutboxRow =>
  row(ledger, address, { kind: 'redaction', of: { event } });

export const takeBack = (ledger: Ledger, address: Address, outbox: number): NewOutboxRow =>
  row(ledger, address, { kind: 'redaction', of: { outbox } });

/** Offers as they are typed. */
export const typable = (reply: Reply, prefix: string): Reply =>
  reply.offers === undefined
    ? reply
    : { ...reply, offers: reply.offers.map((offer) => ({ ...offer, command: prefix + offer.command })) };

/** Hints name commands as `!health`; where another prefix is set, that one is shown. */
export const withPrefix = (text: string, prefix: string): string =>
  prefix === '!' ? text : text.replaceAll(/(?<![\w!])!(?=[a-z])/g, () => prefix);

/** What a hint sets between backticks is for typing. */
export const hintLine = (hint: string, prefix: string): Line =>
  withPrefix(hint, prefix)
    .split(/`([^`]+)`/)
    .map((text, index): Span => (index % 2 === 1 ? { code: text } : text))
    .filter((span) => span !== '');

const longestMessage = 1000;
/** An error may repeat what was typed, and that may be 60 KB. */
const shorten = (text: string): string =>
  text.length > longestMessage ? `${text.slice(0, longestMessage).toWellFormed()}…` : text;

/** An error in the three sentences it owes: what failed, what state that left, what to do. */
export function errorReply(error: OpsError, prefix: string, reference?: string): Reply {
  const effect = error.effect === 'unknown' && error.kind !== 'internal' ? ' It may or may not have been done.' : '';
  const title =
    error.kind === 'internal'
      ? `Internal error${reference ? `, ref ${reference}` : ''}. The log has the details.`
      : shorten(error.message) + effect;
  return {
    title: `❌ ${title}`,
    verdict: 'none',
    ...(error.hint === undefined ? {} : { blocks: [{ kind: 'text' as const, lines: [hintLine(error.hint, prefix)] }] }),
  };
}
