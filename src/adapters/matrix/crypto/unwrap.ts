import type { RoomFacts } from '#domain/inbox.ts';
import type { RoomId } from '#domain/rooms.ts';
import type { MatrixEvent, Voucher } from '../events.ts';
import type { KeyNews } from './cipher.ts';
import type { Opened } from './decrypt.ts';

/** What the sync needs of the envelopes. */
export type Unwrapping = {
  /** Off: encrypted rooms are not read. */
  readonly reads: boolean;
  /** There are keys already, whatever room this is. */
  readonly hasKeys: boolean;
  cipher(): Promise<{
    absorb(news: KeyNews, people: readonly string[]): Promise<void>;
    forgetRules(room: RoomId): void;
    openEvent(room: RoomId, event: MatrixEvent): Promise<Opened>;
  }>;
};

export type Heard = { event: MatrixEvent; voucher: Voucher };

const clear: Voucher = { proof: 'clear', device: undefined };

/** The events as they were meant. What can't be read stays as it is. In a clear room nothing is loaded and nothing asked. */
export async function unwrap(
  envelopes: Unwrapping | undefined,
  { facts, news, events }: { facts: RoomFacts; news: KeyNews; events: MatrixEvent[] },
): Promise<Heard[]> {
  const asIs = events.map((event): Heard => ({ event, voucher: clear }));
  if (!envelopes?.reads || (!facts.encrypted && !envelopes.hasKeys)) return asIs;
  const cipher = await envelopes.cipher();
  if (events.some(({ type, state_key: key }) => key !== undefined && rules.has(type ?? '')))
    cipher.forgetRules(facts.room);
  await cipher.absorb(news, facts.encrypted ? facts.joined : []);
  const heard: Heard[] = [];
  for (const event of events) {
    if (!isEnvelope(event)) heard.push({ event, voucher: clear });
    else {
      const opened = await cipher.openEvent(facts.room, event);
      if ('event' in opened) heard.push({ event: opened.event, voucher: vouch(opened) });
      else heard.push({ event, voucher: clear });
    }
  }
  return heard;
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
