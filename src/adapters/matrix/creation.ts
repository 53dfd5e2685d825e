import type { RoomFacts } from '#domain/inbox.ts';
import type { Request } from './client.ts';
import type { MatrixEvent } from './events.ts';
import { learn } from './facts.ts';

/**
 * The facts with who made the room. Synapse leaves the creation of a version 12 room out of a sync whose filter names
 * rooms (that event has no room id of its own, as of Synapse 1.163), so it is asked for by itself. When it can't be had, the
 * next answer of the sync tries again.
 */
export async function withCreators(facts: RoomFacts, request: Request): Promise<RoomFacts> {
  if (facts.creators !== undefined || facts.joined.length === 0) return facts;
  const path = `/_matrix/client/v3/rooms/${encodeURIComponent(facts.room)}/state`;
  const state: unknown = await request('GET', path).catch(() => []);
  const events = Array.isArray(state) ? (state as MatrixEvent[]) : [];
  return events.filter((event) => event.type === 'm.room.create').reduce(learn, facts);
}
