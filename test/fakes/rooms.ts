import type { Membership, UserId } from '#domain/accounts.ts';
import type { CallMembership } from '#domain/calls.ts';
import { OpsError } from '#domain/errors.ts';
import { parseRoomId, type Room, type RoomAlias, type RoomId, type Rooms } from '#domain/rooms.ts';
import { Faults } from './faults.ts';

type Stored = {
  id: RoomId;
  name: string | undefined;
  alias: RoomAlias | undefined;
  creator: UserId;
  listed: boolean;
  joinRule: 'public' | 'invite';
  encrypted: boolean;
  members: Map<UserId, Membership>;
  calls: Array<{ user: UserId; membership: CallMembership }>;
};
export type NewRoom = {
  creator: UserId;
  name?: string;
  alias?: RoomAlias;
  /** Anyone may join. */
  public?: boolean;
  /** In the directory. */
  listed?: boolean;
  encrypted?: boolean;
  members?: Array<[UserId, Membership]>;
};

/** Rooms in memory, with who is in them: `FakeAccounts` reads and changes the same. */
export class FakeRooms implements Rooms {
  readonly faults = new Faults<'get' | 'list' | 'members' | 'callMemberships' | 'resolve'>();
  readonly #rooms = new Map<RoomId, Stored>();
  readonly #serverName: string;

  constructor(serverName = 'example.org') {
    this.#serverName = serverName;
  }

  add(room: NewRoom): RoomId {
    // As in room version 12: no server part.
    const id = parseRoomId(`!${String(this.#rooms.size + 1).padStart(43, 'r')}`);
    this.#rooms.set(id, {
      id,
      name: room.name,
      alias: room.alias,
      creator: room.creator,
      listed: room.listed ?? false,
      joinRule: room.public === true ? 'public' : 'invite',
      encrypted: room.encrypted ?? false,
      calls: [],
      members: new Map([[room.creator, 'join'], ...(room.members ?? [])]),
    });
    return id;
  }

  membershipOf(room: RoomId, user: UserId): Membership | undefined {
    return this.#rooms.get(room)?.members.get(user);
  }

  membershipsOf(user: UserId): Map<RoomId, Membership> {
    const entries = [...this.#rooms.values()].flatMap(({ id, members }): Array<[RoomId, Membership]> => {
      const membership = members.get(user);
      return membership === undefined ? [] : [[id, membership]];
    });
    return new Map(entries);
  }

  /** Throws `notFound`. */
  setMembership(room: RoomId, user: UserId, membership: Membership): void {
    this.#stored(room).members.set(user, membership);
  }

  isPublic(room: RoomId): boolean {
    return this.#stored(room).joinRule === 'public';
  }

  get(room: RoomId): Promise<Room> {
    return this.faults.run('get', [room], () => this.#toRoom(this.#stored(room)));
  }

  list(options: { text?: string; from?: number; limit?: number }): Promise<{ rooms: Room[]; total: number }> {
    return this.faults.run('list', [options], () => {
      const text = (options.text ?? '').toLowerCase();
      const found = [...this.#rooms.values()]
        .filter(
          ({ id, name, alias }) =>
            [name, alias].some((part) => part?.toLowerCase().includes(text)) || id === options.text || text === '',
        )
        .toSorted((a, b) => (a.name ?? '').localeCompare(b.name ?? ''));
      const from = options.from ?? 0;
      const page = found.slice(from, from + (options.limit ?? 100));
      return { rooms: page.map((room) => this.#toRoom(room)), total: found.length };
    });
  }

  members(room: RoomId): Promise<UserId[]> {
    return this.faults.run('members', [room], () => joinedOf(this.#stored(room)));
  }

  /** Somebody's client joins the call of a room. */
  joinCall(room: RoomId, user: UserId, membership: CallMembership): void {
    this.#stored(room).calls.push({ user, membership });
  }

  callMemberships(room: RoomId, user: UserId): Promise<CallMembership[]> {
    return this.faults.run('callMemberships', [room, user], () =>
      this.#stored(room).calls.flatMap((call) => (call.user === user ? [call.membership] : [])),
    );
  }

  resolve(alias: RoomAlias): Promise<RoomId> {
    return this.faults.run('resolve', [alias], () => {
      const room = [...this.#rooms.values()].find((stored) => stored.alias === alias);
      if (room === undefined) throw new OpsError('notFound', `Room alias ${alias} not found.`);
      return room.id;
    });
  }

  #stored(room: RoomId): Stored {
    const stored = this.#rooms.get(room);
    if (stored === undefined) throw new OpsError('notFound', `Room ${room} not found.`);
    return stored;
  }

  #toRoom(stored: Stored): Room {
    const joined = joinedOf(stored);
    return {
      room: stored.id,
      name: stored.name,
      alias: stored.alias,
      joinedMembers: joined.length,
      joinedLocalMembers: joined.filter((user) => user.endsWith(`:${this.#serverName}`)).length,
      version: '12',
      creator: stored.creator,
      encrypted: stored.encrypted,
      joinRule: stored.joinRule,
      public: stored.listed,
    };
  }
}

const joinedOf = ({ members }: Stored): UserId[] =>
  [...members].filter(([, membership]) => membership === 'join').map(([user]) => user);
