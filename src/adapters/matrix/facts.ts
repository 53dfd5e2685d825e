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

const textOf = (value: unknown, otherwise: string): string => (typeof value === 'string' ? value : otherwise);

/** What is known of a room after one more state event. */
export function learn(facts: RoomFacts, event: MatrixEvent): RoomFacts {
  if (event.state_key === undefined) return facts;
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
      return { ...facts, version: textOf(content['room_version'], '1') };
    default:
      return facts;
  }
}
