import type { Stack } from '../stack.ts';
import type { Seeded, SeededPerson, SeededRoom } from '../seed.ts';
import { applicationId } from './application.ts';
import { botLocalpart, ghostLocalpart, people, suspendedLocalpart } from './people.ts';
import { limitSending } from './limit.ts';
import { Place } from './place.ts';
import { callMembers, callRoomAlias, directs, rooms, soleRoomAlias, type Line } from './rooms.ts';

/** Makes accounts, rooms and talk on an empty Synapse. One step after the other, each as parallel as Synapse likes it. */
export async function furnish(stack: Stack): Promise<Seeded> {
  const { synapse, serverName } = stack;
  const place = new Place(synapse.url, synapse.registrationSharedSecret);
  const id = (localpart: string) => `@${localpart}:${serverName}`;
  const ghost = { userId: id(ghostLocalpart), token: stack.appserviceToken };

  const named: Record<string, SeededPerson> = {};
  const [bot] = await Promise.all([
    place.person(botLocalpart, 'Opsroom', 'Opsroom bot'),
    place.ghost(ghostLocalpart, ghost.userId, 'Dora (Telegram)', ghost.token),
    ...people.map(async ({ localpart, name, device, admin }) => {
      const session = await place.person(localpart, name, device, admin);
      named[localpart] = { ...session, localpart, name, applicationId: applicationId(localpart) };
    }),
  ]);
  const person = (localpart: string) => named[localpart]!;
  const phone = await place.secondDevice('mallory', person('mallory').password, 'Element X on Android');

  // An account may send 10 events before Synapse slows it down to one in 5 s; furnishing takes more of some.
  const limits = (isLifted: boolean) =>
    Promise.all([bot, ...Object.values(named)].map(({ userId }) => limitSending(synapse, userId, isLifted)));
  await limits(true);

  const talk = async (roomId: string, lines: readonly Line[]) => {
    for (const line of lines) {
      if (line[0] === ghostLocalpart) await place.say(ghost.token, roomId, line, ghost.userId);
      else await place.say(person(line[0]).token, roomId, line);
    }
  };
  const seededRooms: SeededRoom[] = [];
  const chats: Record<string, Record<string, string[]>> = {};
  const furnishRoom = async (room: (typeof rooms)[number]) => {
    const [creator, ...others] = room.members;
    const ghosts = room.ghost ? [ghost.userId] : [];
    const roomId = await place.room(person(creator!).token, {
      alias: room.alias,
      name: room.name,
      topic: room.topic,
      public: room.public ?? false,
      invite: room.public ? [] : [...others.map(id), ...ghosts],
      initialState: room.encrypted
        ? [{ type: 'm.room.encryption', state_key: '', content: { algorithm: 'm.megolm.v1.aes-sha2' } }]
        : [],
    });
    seededRooms.push({ alias: `#${room.alias}:${serverName}`, name: room.name, roomId, members: room.members.map(id) });
    await Promise.all(others.map((member) => place.join(person(member).token, roomId)));
    if (room.ghost) await place.join(ghost.token, roomId, ghost.userId);
    await talk(roomId, room.lines);
  };
  const furnishDirect = async ({ between: [from, to], lines }: (typeof directs)[number]) => {
    const roomId = await place.room(person(from).token, { direct: true, invite: [id(to)] });
    await place.join(person(to).token, roomId);
    for (const [one, other] of [
      [from, to],
      [to, from],
    ] as const)
      ((chats[one] ??= {})[id(other)] ??= []).push(roomId);
    await talk(roomId, lines);
  };
  const furnishOpsRoom = async () => {
    const insiders = ['bob', 'carol'].map(person);
    const roomId = await place.room(person('alice').token, {
      alias: 'ops',
      name: 'Ops',
      topic: 'Where the servers are run from. Type !help',
      invite: [...insiders.map(({ userId }) => userId), bot.userId],
      initialState: [{ type: 'm.room.guest_access', state_key: '', content: { guest_access: 'forbidden' } }],
      powerLevels: { users: Object.fromEntries([bot, ...insiders].map(({ userId }) => [userId, 50])) },
    });
    await Promise.all([bot, ...insiders].map(({ token }) => place.join(token, roomId)));
    await talk(roomId, [
      ['bob', 'Handing over on-call, a quiet week.'],
      ['carol', 'Thanks, I have it.'],
    ]);
    return { roomId, alias: `#ops:${serverName}` };
  };
  const [opsRoom] = await Promise.all([furnishOpsRoom(), ...rooms.map(furnishRoom), ...directs.map(furnishDirect)]);
  await Promise.all(Object.entries(chats).map(([localpart, own]) => place.markDirect(person(localpart), own)));
  await place.admin(synapse.adminToken, 'PUT', `v1/suspend/${encodeURIComponent(id(suspendedLocalpart))}`, {
    suspend: true,
  });

  await limits(false);

  const roomId = (alias: string) => seededRooms.find((room) => room.alias.startsWith(`#${alias}:`))!.roomId;
  return {
    serverName,
    people: named,
    bot,
    admin: { userId: synapse.adminUser, token: synapse.adminToken },
    opsRoom,
    rooms: seededRooms,
    directs: Object.fromEntries(
      Object.entries(chats).map(([localpart, own]) => [localpart, Object.values(own).flat()]),
    ),
    malloryPhone: phone,
    soleRoomId: roomId(soleRoomAlias),
    ghostUserId: ghost.userId,
    suspendedUserId: id(suspendedLocalpart),
    call: {
      roomId: roomId(callRoomAlias),
      identities: callMembers.map((member) => `${id(member)}:${person(member).deviceId}`),
    },
  };
}
