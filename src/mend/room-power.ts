import { learn, noFacts } from '#adapters/matrix/facts.ts';
import type { MatrixEvent } from '#adapters/matrix/events.ts';
import { serverOf, type UserId } from '#domain/accounts.ts';
import type { RoomFacts } from '#domain/inbox.ts';
import type { RoomId } from '#domain/rooms.ts';
import { powerOf } from '#domain/standing.ts';
import { part } from '../init/homeserver.ts';
import type { MendWorld } from './world.ts';

export type RoomState = {
  facts: RoomFacts;
  /** `m.room.power_levels` as it is. */
  levels: Record<string, unknown>;
  membership: string | undefined;
};

/** The room as a server admin sees it, who need not be in it. */
export async function roomState(world: MendWorld, room: RoomId): Promise<RoomState> {
  const path = `/_synapse/admin/v1/rooms/${part(room)}/state`;
  const { state } = await world.asAdmin({ method: 'GET', path, doing: `look at ${room}` });
  const events = state as MatrixEvent[];
  const content = (type: string, key = ''): Record<string, unknown> | undefined =>
    events.find((event) => event.type === type && event.state_key === key)?.content;
  return {
    facts: events.reduce(learn, noFacts(room)),
    levels: content('m.room.power_levels') ?? {},
    membership: content('m.room.member', world.bot)?.['membership'] as string | undefined,
  };
}

const numberOf = (value: unknown, otherwise: number): number => (typeof value === 'number' ? value : otherwise);
const recordOf = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};

/** The power that sending these takes. */
export const neededFor = (levels: Record<string, unknown>, types: readonly string[], state = false): number =>
  Math.max(
    ...types.map((type) =>
      numberOf(
        recordOf(levels['events'])[type],
        state ? numberOf(levels['state_default'], 50) : numberOf(levels['events_default'], 0),
      ),
    ),
  );
export const levelFor = (levels: Record<string, unknown>, act: 'invite' | 'ban' | 'kick'): number =>
  numberOf(levels[act], act === 'invite' ? 0 : 50);

/** Somebody of this server in the room with that power, an owner first; undefined when nobody has it. */
export async function whoCan(world: MendWorld, { facts }: RoomState, power: number): Promise<UserId | undefined> {
  const owners = new Set(world.settings.people.filter(({ role }) => role === 'owner').map(({ user }) => user));
  const able = facts.joined
    .filter((user) => user !== world.bot && user !== world.admin && serverOf(user) === world.server)
    .map((user) => ({ user, has: powerOf(facts, user) ?? 0 }))
    .filter(({ has }) => has >= power)
    .toSorted((a, b) => Number(owners.has(b.user)) - Number(owners.has(a.user)) || b.has - a.has);
  for (const { user } of able.slice(0, 20)) {
    const path = `/_synapse/admin/v2/users/${part(user)}`;
    const account = await world.asAdmin({ method: 'GET', path, doing: `look up ${user}` });
    if (account['locked'] !== true && account['deactivated'] !== true && account['suspended'] !== true) return user;
  }
  return undefined;
}
