import type { Accounts, Puppet, UserId } from '#domain/accounts.ts';
import type { Clock } from '#domain/clock.ts';
import type { TakenAway } from '#domain/ledger.ts';
import { OpsError } from '#domain/errors.ts';
import type { RoomId, Rooms } from '#domain/rooms.ts';
import type { Roster } from '#domain/roster.ts';
import type { Takings } from '#engine/ports.ts';

/** What is remembered of someone who is taken out. JSON. */
export type Taken = {
  rooms: RoomId[];
  /** Those they were a member of: an invitation or a knock is taken away, and never turned into a membership. */
  back: RoomId[];
  /** Rooms with nobody else in them: once left, nobody can get back in. */
  alone: RoomId[];
  projects: string[];
  rawStatus: string | null;
  rateLimit: { messagesPerSecond: number; burstCount: number } | null;
};

export const puppetValidMs = 600_000;
/** Where someone is: rooms to leave, and rooms that would be lost. */
export async function whereabouts(
  user: UserId,
  ports: { accounts: Accounts; rooms: Rooms },
): Promise<{ rooms: RoomId[]; alone: RoomId[]; joined: RoomId[] }> {
  const memberships = await ports.accounts.memberships(user);
  const rooms: RoomId[] = [];
  const alone: RoomId[] = [];
  const joined = [...memberships].flatMap(([room, membership]) => (membership === 'join' ? [room] : []));
  const inside = [...memberships].filter(([, membership]) => ['join', 'invite', 'knock'].includes(membership));
  for (let at = 0; at < inside.length; at += 8) {
    const chunk = inside.slice(at, at + 8);
    const members = await Promise.all(
      chunk.map(([room, membership]) => (membership === 'join' ? ports.rooms.members(room) : Promise.resolve([]))),
    );
    chunk.forEach(([room, membership], index) => {
      const sole = membership === 'join' && members[index]?.every((member) => member === user);
      (sole ? alone : rooms).push(room);
    });
  }
  return { rooms: rooms.sort(), alone: alone.sort(), joined };
}

/** Remembers what is about to be taken. A repeated disable adds to the first snapshot and never forgets it. */
export async function snapshot(
  user: UserId,
  run: number,
  ports: {
    accounts: Accounts;
    rooms: Rooms;
    takings: Takings;
    clock: Clock;
    roster?: Roster | undefined;
    site: string;
  },
): Promise<Taken> {
  const before = ports.takings.find(user);
  const known = before?.snapshot as Taken | undefined;
  const [now, limit, person] = await Promise.all([
    whereabouts(user, ports),
    ports.accounts.rateLimit(user),
    ports.roster?.findByMatrix(user).catch(() => undefined),
  ]);
  const roster = person && (await ports.roster?.snapshot(person.id).catch(() => undefined));
  const taken: Taken = {
    rooms: [...new Set([...(known?.rooms ?? []), ...now.rooms])],
    back: [...new Set([...(known?.back ?? []), ...now.joined.filter((room) => !now.alone.includes(room))])],
    alone: now.alone,
    projects: [...new Set([...(known?.projects ?? []), ...(roster?.projects ?? [])])],
    rawStatus: known?.rawStatus ?? roster?.rawStatus ?? null,
    rateLimit: known?.rateLimit ?? limit ?? null,
  };
  const record: TakenAway = {
    site: ports.site,
    user,
    run: before?.run ?? run,
    at: ports.clock.now(),
    snapshot: taken,
    returnedAt: undefined,
  };
  ports.takings.remember(record);
  return taken;
}

/** Suspends someone in the application. Gives their id there, `null` when it doesn't know them. */
export async function suspendThere(user: UserId, roster: Roster): Promise<string | null> {
  const person = await roster.findByMatrix(user);
  if (person !== undefined) await roster.setStatus(person.id, 'suspended');
  return person?.id ?? null;
}

/** Takes someone out of all projects, remembered first: the application may have been down at the snapshot. */
export async function takeFromProjects(
  user: UserId,
  id: string,
  roster: Roster,
  takings: Takings,
): Promise<{ projects: number; credentials: number }> {
  const { projects } = await roster.snapshot(id);
  const taken = takings.find(user);
  const known = taken?.snapshot as Taken | undefined;
  if (taken && known) {
    takings.remember({ ...taken, snapshot: { ...known, projects: [...new Set([...known.projects, ...projects])] } });
  }
  return { projects: await roster.removeMemberships(id), credentials: await roster.deleteCredentials(id) };
}

/** Leaves on behalf of the person. A notices room can't be left, and nobody minds. */
export async function leave(puppet: Puppet, room: RoomId, reason: string): Promise<void> {
  try {
    await puppet.leave(room, reason);
  } catch (error) {
    if (error instanceof OpsError && (error.kind === 'notFound' || /SERVER_NOTICE/.test(error.message))) return;
    throw error;
  }
}

/** Puts someone back into a room: by the admin account, else by an invitation of a local member who may invite. */
export async function putBack(
  user: UserId,
  room: RoomId,
  puppet: Puppet,
  ports: { accounts: Accounts; rooms: Rooms },
): Promise<void> {
  const members = await ports.rooms.members(room);
  if (members.includes(user)) return;
  try {
    await ports.accounts.joinByAdmin(room, user);
    return;
  } catch (error) {
    if (!(error instanceof OpsError) || !['denied', 'misconfigured', 'conflict', 'invalid'].includes(error.kind))
      throw error;
  }
  const own = `:${ports.accounts.serverName}`;
  let last: unknown = new OpsError('denied', `Nobody in ${room} could invite ${user}.`);
  for (const host of members.filter((member) => member.endsWith(own)).slice(0, 5)) {
    const inviter = await ports.accounts.actAs(host, puppetValidMs);
    try {
      await inviter.invite(room, user);
      await puppet.join(room);
      return;
    } catch (error) {
      last = error;
    } finally {
      await inviter.logout();
    }
  }
  throw last;
}
