import { z } from 'zod';
import type { UserId } from '#domain/accounts.ts';
import type { CallMembership } from '#domain/calls.ts';
import type { Room, RoomAlias, RoomId, Rooms } from '#domain/rooms.ts';
import { part, type SynapseApi } from './admin-api.ts';
import { roomAnswer, roomMembersAnswer, roomsAnswer, toRoom } from './answers.ts';

const base = '/_synapse/admin/v1/rooms';
// As clients write them today: the state event of a call, and the sticky one that takes its place (MSC4143).
const callMemberTypes = ['org.matrix.msc3401.call.member', 'org.matrix.msc4143.rtc.member'];

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

  async callMemberships(room: RoomId, user: UserId): Promise<CallMembership[]> {
    const filter = JSON.stringify({ types: callMemberTypes, senders: [user] });
    const { data } = await this.#api.call({
      method: 'GET',
      path: `${base}/${part(room)}/messages`,
      query: { dir: 'b', limit: 100, filter },
      answer: callMembersAnswer,
      doing: `look who joined calls in ${room}`,
    });
    return data.chunk.flatMap(({ content }) => callMembershipOf(content) ?? []);
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

const callMembersAnswer = z.object({ chunk: z.array(z.object({ content: z.record(z.string(), z.unknown()) })) });

/** Undefined when it says that somebody left, or what nobody understands. */
function callMembershipOf(content: Record<string, unknown>): CallMembership | undefined {
  const nested = content['member'];
  const inner = typeof nested === 'object' && nested !== null ? (nested as Record<string, unknown>) : {};
  const device = inner['device_id'] ?? content['device_id'];
  const member = inner['id'] ?? content['membershipID'];
  return typeof device === 'string' && typeof member === 'string' ? { device, member } : undefined;
}
