import { z } from 'zod';
import type { UserId } from '#domain/accounts.ts';
import type { Room, RoomAlias, RoomId, Rooms } from '#domain/rooms.ts';
import { part, type SynapseApi } from './admin-api.ts';
import { roomAnswer, roomMembersAnswer, roomsAnswer, toRoom } from './answers.ts';

const base = '/_synapse/admin/v1/rooms';

/** Rooms through Synapse's admin API: the admin account need not be in them. */
export class SynapseRooms implements Rooms {
  readonly #api: SynapseApi;

  constructor(api: SynapseApi) {
    this.#api = api;
  }

  async get(room: RoomId): Promise<Room> {
    const { data } = await this.#api.call({
      method: 'GET',
      path: `${base}/${part(room)}`,
      answer: roomAnswer,
      doing: `look up the room ${room}`,
    });
    return toRoom(data);
  }

  async list(options: { text?: string; from?: number; limit?: number }): Promise<{ rooms: Room[]; total: number }> {
    const { data } = await this.#api.call({
      method: 'GET',
      path: base,
      query: {
        // An empty search term is a 400.
        search_term: options.text === '' ? undefined : options.text,
        from: options.from,
        limit: options.limit,
        order_by: 'name',
      },
      answer: roomsAnswer,
      doing: 'list the rooms',
    });
    return { rooms: data.rooms.map(toRoom), total: data.total_rooms };
  }

  async members(room: RoomId): Promise<UserId[]> {
    const { data } = await this.#api.call({
      method: 'GET',
      path: `${base}/${part(room)}/members`,
      answer: roomMembersAnswer,
      doing: `list the members of ${room}`,
    });
    return data.members as UserId[];
  }

  async resolve(alias: RoomAlias): Promise<RoomId> {
    const { data } = await this.#api.call({
      method: 'GET',
      path: `/_matrix/client/v3/directory/room/${part(alias)}`,
      answer: z.object({ room_id: z.string() }),
      doing: `find the room ${alias}`,
    });
    return data.room_id as RoomId;
  }
}
