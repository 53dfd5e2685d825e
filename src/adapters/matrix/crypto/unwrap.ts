import type { UserId } from '#domain/accounts.ts';
import type { RoomFacts } from '#domain/inbox.ts';
import type { RoomId } from '#domain/rooms.ts';
import type { MatrixEvent, Voucher } from '../events.ts';
import type { KeyNews } from './cipher.ts';
import type { Opened } from './decrypt.ts';

/** What the sync needs of the open keys. */
export type Opening = {
  absorb(news: KeyNews, people: readonly string[]): Promise<void>;
  forgetRules(room: RoomId): void;
  /** Which state of the keys this is: it is noted beside the position, so that an older copy shows. */
  readonly mark: string;
  /** The sessions whose keys came since the last call. */
  newSessions(): ReadonlySet<string>;
  openEvent(room: RoomId, event: MatrixEvent): Promise<Opened>;
};

/** What the sync needs of the envelopes. */
export type Unwrapping = {
  /** Off: encrypted rooms are not read. */
  readonly reads: boolean;
  /** There are keys already, whatever room this is. */
  readonly hasKeys: boolean;
  cipher(): Promise<Opening>;
};

/** An event as it was meant, or one that can't be read now. */
export type Heard =
  | { event: MatrixEvent; voucher: Voucher; sealed?: undefined }
  | { event: MatrixEvent; sealed: { session: string; why: string } };

const clear: Voucher = { proof: 'clear', device: undefined };

/** The keys, when they are needed. In a clear room nothing is loaded and nothing asked. */
export async function keysFor(envelopes: Unwrapping | undefined, facts: RoomFacts): Promise<Opening | undefined> {
  if (!envelopes?.reads || (!facts.encrypted && !envelopes.hasKeys)) return undefined;
  return envelopes.cipher();
}

/** The events as they were meant. The keys take their share of the sync's answer first. */
export async function unwrap(
  cipher: Opening | undefined,
  by: { facts: RoomFacts; news: KeyNews; state: MatrixEvent[]; events: MatrixEvent[]; bot: UserId },
): Promise<Heard[]> {
  const { facts, news, state, events, bot } = by;
  if (cipher === undefined) return events.map((event): Heard => ({ event, voucher: clear }));
  if ([...state, ...events].some(({ type, state_key: key }) => key !== undefined && rules.has(type ?? '')))
    cipher.forgetRules(facts.room);
  await cipher.absorb(news, facts.encrypted ? facts.joined : []);
  const heard: Heard[] = [];
  for (const event of events)
    heard.push(event.sender === bot ? { event, voucher: clear } : await read(cipher, facts.room, event));
  return heard;
}

export async function read(cipher: Opening, room: RoomId, event: MatrixEvent): Promise<Heard> {
  if (!isEnvelope(event)) return { event, voucher: clear };
  const opened = await cipher.openEvent(room, event);
  if ('event' in opened) return { event: opened.event, voucher: vouch(opened) };
  return { event, sealed: opened };
}

const rules = new Set(['m.room.encryption', 'm.room.history_visibility']);

/** An envelope that was redacted has nothing in it; one that is a state event is none that a person typed. */
const isEnvelope = (event: MatrixEvent): boolean =>
  event.type === 'm.room.encrypted' &&
  event.state_key === undefined &&
  typeof event.content?.['ciphertext'] === 'string';

const vouch = ({ trust }: Extract<Opened, { event: MatrixEvent }>): Voucher => ({
  proof: trust.doubt === undefined ? 'signed-device' : 'unsigned-device',
  device: trust.device,
});
