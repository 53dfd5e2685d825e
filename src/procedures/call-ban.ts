import type { Accounts, UserId } from '#domain/accounts.ts';
import type { BotInfo } from '#domain/bot.ts';
import { callIdentity, type CallServer, isHashedIdentity, isIdentityOf } from '#domain/calls.ts';
import type { Clock } from '#domain/clock.ts';
import type { RoomId, Rooms } from '#domain/rooms.ts';
import type { Takings } from '#engine/ports.ts';

/**
 * How long calls stay forbidden: a LiveKit token lives an hour and an OpenID token, which buys one more, another; the
 * minute is the leeway of their clocks.
 */
const callBanMs = 2 * 3_600_000 + 60_000;
// Somebody in more rooms than this is looked for in the first ones; who is in a call is in few.
const mostRooms = 200;
const parallel = 8;

type Ports = {
  accounts: Accounts;
  rooms: Rooms;
  takings: Takings;
  clock: Clock;
  bot: Pick<BotInfo, 'site'>;
  calls?: CallServer | undefined;
};

/** Throws someone out of all calls and keeps them out; the ban holds also while LiveKit is away. Gives how often they were in. */
export async function forbidCalls(user: UserId, run: number, ports: Ports): Promise<number> {
  const { takings, calls, clock, bot } = ports;
  const known = takings.held().find((hold) => hold.user === user)?.identities ?? [];
  const hold = (identities: string[]): void => {
    const until = clock.now() + callBanMs;
    takings.hold({ site: bot.site, user, kind: 'call-ban', identities, until, run, endedAt: undefined });
  };
  // At once, by what LiveKit says itself; who joined under a hash takes some reading.
  hold(known);
  if (!calls) return 0;
  const removed = await removeFromCalls(user, calls, known);
  const identities = [...new Set([...known, ...(await hashedIdentities(user, ports))])];
  if (identities.length === known.length) return removed;
  hold(identities);
  return removed + (await removeFromCalls(user, calls, identities));
}

/** The identities under which newer clients of this person join calls, from what they wrote into their rooms. */
export async function hashedIdentities(
  user: UserId,
  { accounts, rooms, takings }: Pick<Ports, 'accounts' | 'rooms'> & { takings?: Takings },
): Promise<string[]> {
  const now = [...(await accounts.memberships(user))].flatMap(([room, membership]) =>
    membership === 'join' ? [room] : [],
  );
  const before = (takings?.find(user)?.snapshot as { rooms?: RoomId[] } | undefined)?.rooms ?? [];
  const all: RoomId[] = [...new Set([...now, ...before])].slice(0, mostRooms);
  const found = new Set<string>();
  for (let at = 0; at < all.length; at += parallel) {
    const chunk = all.slice(at, at + parallel);
    const lists = await Promise.all(chunk.map((room) => rooms.callMemberships(room, user)));
    for (const membership of lists.flat()) found.add(callIdentity(user, membership));
  }
  return [...found];
}

/** How many are in calls under a hashed identity: whose they are, LiveKit does not tell. */
export async function unidentified(calls: CallServer): Promise<number> {
  const rooms = await calls.rooms();
  const lists = await Promise.all(rooms.map((room) => calls.participants(room.name)));
  return lists.flat().filter(({ identity }) => isHashedIdentity(identity)).length;
}

/** Throws the person out of every call, once. Gives how often they were found. */
export async function removeFromCalls(
  user: UserId,
  calls: CallServer,
  hashed: readonly string[] = [],
): Promise<number> {
  let removed = 0;
  for (const room of await calls.rooms()) {
    for (const participant of await calls.participants(room.name)) {
      if (!isIdentityOf(participant.identity, user, hashed)) continue;
      await calls.remove(room.name, participant.identity);
      removed += 1;
    }
  }
  return removed;
}
