import type { UserId } from './accounts.ts';
import type { CallMembership } from './calls.ts';
import { OpsError } from './errors.ts';

/** A room id. Version 12 rooms have no server part, so none is ever taken out of it. */
export type RoomId = string & { readonly brand: 'RoomId' };
export type RoomAlias = string & { readonly brand: 'RoomAlias' };

/** Throws `invalid`. */
export function parseRoomId(text: string): RoomId {
  if (!/^![^\s]{1,254}$/.test(text)) {
    throw new OpsError('invalid', `"${text}" is not a room id.`, { hint: 'It starts with "!"; an alias with "#".' });
  }
  return text as RoomId;
}

export const isRoomAlias = (text: string): text is RoomAlias => /^#[^\s:]+:[^\s]+$/.test(text);

export type Room = {
  room: RoomId;
  name: string | undefined;
  alias: string | undefined;
  joinedMembers: number;
  joinedLocalMembers: number;
  version: string;
  creator: UserId | undefined;
  encrypted: boolean;
  joinRule: string | undefined;
  public: boolean;
};

/** Rooms of the own homeserver, as its administrator sees them. */
export interface Rooms {
  /** Throws `notFound`. */
  get(room: RoomId): Promise<Room>;
  list(options: { text?: string; from?: number; limit?: number }): Promise<{ rooms: Room[]; total: number }>;
  /** Joined members. */
  members(room: RoomId): Promise<UserId[]>;
  /** The calls that someone joined in a room, now or lately, as their clients wrote it there. */
  callMemberships(room: RoomId, user: UserId): Promise<CallMembership[]>;
  /** Throws `notFound`. */
  resolve(alias: RoomAlias): Promise<RoomId>;
}
