import type { UserId } from '#domain/accounts.ts';
import type { RoomFacts } from '#domain/inbox.ts';
import type { RoomId } from '#domain/rooms.ts';
import type { MatrixEvent } from './events.ts';

export const noFacts = (room: RoomId): RoomFacts => ({
  room,
  joined: [],
  encrypted: false,
  joinRule: undefined,
  version: undefined,
});

/** What is known of it once somebody is out. */
export const without = (facts: RoomFacts, user: UserId): RoomFacts =>
  facts.joined.includes(user) ? { ...facts, joined: facts.joined.filter((joined) => joined !== user) } : facts;

const textOf = (value: unknown, otherwise: string): string => (typeof value === 'string' ? value : otherwise);

// Rooms before version 10 may hold levels as text. Anything else counts as nothing.
function levelOf(value: unknown): number {
  const level = typeof value === 'string' && /^\s*[+-]?\d+\s*$/.test(value) ? Number(value) : value;
  return Number.isSafeInteger(level) ? (level as number) : 0;
}

function powerIn(content: Record<string, unknown>): NonNullable<RoomFacts['power']> {
  const given = content['users'];
  const users = given !== null && typeof given === 'object' ? Object.entries(given) : [];
  return {
    users: Object.fromEntries(users.map(([user, level]) => [user, levelOf(level)])),
    usersDefault: levelOf(content['users_default']),
  };
}

/** From version 12 on there may be more than whoever sent it. */
function creatorsIn(event: MatrixEvent, content: Record<string, unknown>): UserId[] {
  const more = content['additional_creators'];
  const all = [event.sender, ...(Array.isArray(more) ? (more as unknown[]) : [])];
  return [...new Set(all.filter((user): user is UserId => typeof user === 'string'))];
}

/** What is known of a room after one more state event. */
export function learn(facts: RoomFacts, event: MatrixEvent): RoomFacts {
  // Under another state key these types mean nothing, and lesser powers may send them.
  if (event.state_key === undefined || (event.type !== 'm.room.member' && event.state_key !== '')) return facts;
  const content = event.content ?? {};
  switch (event.type ?? '') {
    case 'm.room.member': {
      const user = event.state_key as UserId;
      const others = facts.joined.filter((joined) => joined !== user);
      return { ...facts, joined: content['membership'] === 'join' ? [...others, user] : others };
    }
    case 'm.room.encryption':
      return { ...facts, encrypted: true };
    case 'm.room.join_rules':
      return { ...facts, joinRule: textOf(content['join_rule'], '') };
    case 'm.room.create':
      return { ...facts, version: textOf(content['room_version'], '1'), creators: creatorsIn(event, content) };
    case 'm.room.power_levels':
      return { ...facts, power: powerIn(content) };
    case 'm.room.history_visibility':
      return { ...facts, historyVisibility: textOf(content['history_visibility'], '') };
    case 'm.room.guest_access':
      return { ...facts, guestAccess: textOf(content['guest_access'], '') };
    case 'm.room.tombstone': {
      const replacedBy = textOf(content['replacement_room'], '');
      const { replacedBy: _, ...others } = facts;
      return replacedBy === '' ? others : { ...others, replacedBy };
    }
    default:
      return facts;
  }
}
