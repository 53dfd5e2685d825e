import { createHash } from 'node:crypto';
import type { UserId } from './accounts.ts';
import type { EpochMs } from './clock.ts';
import type { RoomId } from './rooms.ts';

export type CallRoom = { name: string; participants: number; startedAt: EpochMs };
export type Participant = {
  identity: string;
  name: string;
  joinedAt: EpochMs;
  tracks: Array<{ sid: string; kind: string; muted: boolean }>;
};

/** What a client wrote into a Matrix room when it joined the call there. */
export type CallMembership = { device: string; member: string };

/** The media server of the calls. It knows rooms and identities only; who that is in Matrix is decided here. */
export interface CallServer {
  rooms(): Promise<CallRoom[]>;
  /** An unknown room has no participants. */
  participants(room: string): Promise<Participant[]>;
  /** Throws out; someone who isn't there is fine. The same token joins again, so a ban has to be kept up. */
  remove(room: string, identity: string): Promise<void>;
}

/**
 * Does this LiveKit identity belong to the user? lk-jwt-service makes it `@user:server:DEVICE`. Compared by the prefix
 * of the known id, never by splitting: a server name may hold a port. `hashed`: the user's hashed identities.
 */
export const isIdentityOf = (identity: string, user: UserId, hashed: readonly string[] = []): boolean =>
  identity.startsWith(`${user}:`) || hashed.includes(identity);

/** An identity that only lk-jwt-service could map back: the unpadded base64 of a SHA-256. */
export const isHashedIdentity = (identity: string): boolean => /^[A-Za-z0-9+/]{43}$/.test(identity);

/**
 * The LiveKit room of a Matrix room, as lk-jwt-service 0.4.3 and later name it: base64 without padding of the SHA-256 of
 * `[roomId,slotId]` in compact JSON, with Go's escaping of `<`, `>`, `&`, U+2028 and U+2029.
 */
export const callRoomName = (room: RoomId, slot = 'm.call#ROOM'): string => hashOfParts([room, slot]);

/**
 * The identity under which newer clients join, made the same way of `[userId,deviceId,memberId]`: the member id is what
 * the client chose and wrote into its membership event of the room.
 */
export const callIdentity = (user: UserId, { device, member }: CallMembership): string =>
  hashOfParts([user, device, member]);

function hashOfParts(parts: readonly string[]): string {
  const json = JSON.stringify(parts).replaceAll(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return createHash('sha256').update(json).digest('base64').replace(/=+$/, '');
}
