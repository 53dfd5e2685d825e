import {
  type DecryptedRoomEvent,
  DecryptionErrorCode,
  DecryptionSettings,
  MegolmDecryptionError,
  type OlmMachine,
  RoomId as LibraryRoomId,
  TrustRequirement,
} from '@matrix-org/matrix-sdk-crypto-wasm';
import type { RoomId } from '#domain/rooms.ts';
import type { MatrixEvent } from '../events.ts';
import { indexOf } from './message-index.ts';
import { judge, type Trust } from './trust.ts';
import type { Machine } from './machine.ts';
import type { Requests } from './requests.ts';

/** An event that was read, with what is known of its sender; or one that can't be, and why. */
export type Opened =
  | { event: MatrixEvent; trust: Trust }
  | {
      /** The session whose key would open it. */
      session: string;
      /** `withheld:m.unverified` and the like when the sender's client says that it keeps the key from the bot. */
      why: string;
      /** No key will come that opens it. */
      final: boolean;
    };

const settings = (): DecryptionSettings => new DecryptionSettings(TrustRequirement.Untrusted);
const comesBack = new Set([DecryptionErrorCode.MissingRoomKey, DecryptionErrorCode.UnknownMessageIndex]);

const sessionOf = (event: MatrixEvent): string => {
  const session = event.content?.['session_id'];
  return typeof session === 'string' ? session : '';
};

/** Who may take back what is judged by the homeserver, which doesn't see into envelopes: in there it is nobody's right. */
const typeIn = ({ type }: MatrixEvent): string => (type === 'm.room.redaction' ? '' : (type ?? ''));

/** Reads one event of a room. Throws only when the keys themselves can't be used. */
export async function decrypt(machine: Machine, requests: Requests, room: RoomId, raw: MatrixEvent): Promise<Opened> {
  const json = JSON.stringify(raw);
  const first = await machine.call((olm) => attempt(machine, olm, room, json, raw));
  if (!('event' in first) || first.trust.doubt !== 'unknown') return first;
  // The device may be newer than what the bot has heard of it.
  await requests.pump();
  return machine.call((olm) => attempt(machine, olm, room, json, raw));
}

async function attempt(
  machine: Machine,
  olm: OlmMachine,
  room: RoomId,
  json: string,
  raw: MatrixEvent,
): Promise<Opened> {
  let decrypted: DecryptedRoomEvent;
  try {
    decrypted = await olm.decryptRoomEvent(json, new LibraryRoomId(room), settings());
  } catch (error) {
    if (!(error instanceof MegolmDecryptionError)) throw error;
    const { code, withheldCode } = error;
    const why = withheldCode === undefined ? (DecryptionErrorCode[code] ?? 'unknown') : `withheld:${withheldCode}`;
    return { session: sessionOf(raw), why, final: !comesBack.has(code) };
  }
  try {
    // The library opens the same ciphertext any number of times; a homeserver could have a command said twice.
    const event = raw.event_id ?? '';
    if (machine.firstHeard(sessionOf(raw), indexOf(String(raw.content?.['ciphertext'])), event) !== event)
      return { session: sessionOf(raw), why: 'copy', final: true };
    const plain = JSON.parse(decrypted.event) as MatrixEvent;
    const shield = decrypted.shieldState(false);
    const user = decrypted.sender.toString();
    const trust = await judge(olm, { user, device: decrypted.senderDevice?.toString(), shield });
    // A key that one person made doesn't make a message another one's.
    if (user !== raw.sender) trust.doubt = 'shield';
    // What the room's event says of itself stays; only what was said comes out of the envelope.
    return { event: { ...raw, type: typeIn(plain), content: plain.content ?? {} }, trust };
  } finally {
    decrypted.free();
  }
}
