import { HistoryVisibility } from '@matrix-org/matrix-sdk-crypto-wasm';
import { OpsError } from '#domain/errors.ts';
import type { RoomFacts } from '#domain/inbox.ts';
import type { RoomId } from '#domain/rooms.ts';
import type { Request } from '../client.ts';

/** What decides who gets a room's keys, and for how long one key is used. */
export type RoomState = {
  members: string[];
  visibility: HistoryVisibility;
  rotationPeriodMs: number;
  rotationMessages: number;
};

const weekMs = 7 * 86_400_000;
const visibilities: Record<string, HistoryVisibility> = {
  invited: HistoryVisibility.Invited,
  joined: HistoryVisibility.Joined,
  shared: HistoryVisibility.Shared,
  world_readable: HistoryVisibility.WorldReadable,
};

/** The state event's content; undefined only when the homeserver says that there is none. Any other failure throws. */
export async function stateOf(
  request: Request,
  room: RoomId,
  type: string,
): Promise<Record<string, unknown> | undefined> {
  try {
    return await request('GET', `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/state/${type}`);
  } catch (error) {
    if (error instanceof OpsError && error.kind === 'notFound' && error.cause === 'M_NOT_FOUND') return undefined;
    throw error;
  }
}

const between = (value: unknown, least: number, most: number): number =>
  Math.min(most, Math.max(least, typeof value === 'number' && Number.isFinite(value) ? Math.floor(value) : most));

/** Reads each room's rules once, and again after an event that changes them. Members come from the sync. */
export class RoomStates {
  readonly #request: Request;
  readonly #facts: (room: RoomId) => RoomFacts | undefined;
  readonly #rules = new Map<RoomId, Promise<Omit<RoomState, 'members'>>>();

  constructor(request: Request, facts: (room: RoomId) => RoomFacts | undefined) {
    this.#request = request;
    this.#facts = facts;
  }

  forget(room: RoomId): void {
    this.#rules.delete(room);
  }

  async get(room: RoomId): Promise<RoomState> {
    let rules = this.#rules.get(room);
    if (rules === undefined) {
      rules = this.#read(room);
      this.#rules.set(room, rules);
      rules.catch(() => this.#rules.delete(room));
    }
    return { ...(await rules), members: await this.#members(room) };
  }

  async #members(room: RoomId): Promise<string[]> {
    const facts = this.#facts(room);
    if (facts !== undefined && facts.joined.length > 0) return facts.joined;
    const path = `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/joined_members`;
    const { joined } = (await this.#request('GET', path)) as { joined?: Record<string, unknown> };
    return Object.keys(joined ?? {});
  }

  /** A room may ask for a shorter life of its keys than usual, never for a longer one. */
  async #read(room: RoomId): Promise<Omit<RoomState, 'members'>> {
    const [encryption, history] = await Promise.all([
      stateOf(this.#request, room, 'm.room.encryption'),
      stateOf(this.#request, room, 'm.room.history_visibility'),
    ]);
    // Somebody may have emptied the state event, or named another algorithm: a room once encrypted stays so, and people's
    // clients go on with the one that they know.
    const { rotation_period_ms: period, rotation_period_msgs: messages } = encryption ?? {};
    return {
      visibility: visibilities[String(history?.['history_visibility'])] ?? HistoryVisibility.Shared,
      rotationPeriodMs: between(period, 60_000, weekMs),
      rotationMessages: between(messages, 1, 100),
    };
  }
}
