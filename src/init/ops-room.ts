import type { UserId } from '#domain/accounts.ts';
import { OpsError } from '#domain/errors.ts';
import { parseRoomId, type RoomId } from '#domain/rooms.ts';
import type { Secret } from '#domain/secret.ts';
import { type Homeserver, part, refused } from './homeserver.ts';

export type RoomWanted = {
  /** A full alias, or a room id. */
  room: string;
  owner: UserId;
  bot: UserId;
  /** A room that is made is; one that is there stays as it is. */
  encrypted: boolean;
  token: Secret;
  adminToken: Secret;
};
export type OpsRoomReady = { room: RoomId; how: 'made' | 'known'; invited: boolean; encrypted: boolean };

const encryption = { type: 'm.room.encryption', state_key: '', content: { algorithm: 'm.megolm.v1.aes-sha2' } };

/** The room with the bot in it and the owner in or invited, at full power. Finds what an earlier run has made. */
export async function ensureOpsRoom(homeserver: Homeserver, wanted: RoomWanted): Promise<OpsRoomReady> {
  const found = await findRoom(homeserver, wanted);
  if (found !== undefined) await enter(homeserver, wanted, found);
  const room = found ?? (await makeRoom(homeserver, wanted));
  const invited = await inviteOwner(homeserver, wanted, room);
  const encryption = await state(homeserver, wanted, room, 'm.room.encryption');
  return { room, how: found === undefined ? 'made' : 'known', invited, encrypted: encryption !== undefined };
}

async function findRoom(homeserver: Homeserver, { room, token }: RoomWanted): Promise<RoomId | undefined> {
  if (room.startsWith('!')) return parseRoomId(room);
  const doing = `look for the room ${room}`;
  const path = `/_matrix/client/v3/directory/room/${part(room)}`;
  const answer = await homeserver.ask({ method: 'GET', path, token, doing });
  if (answer.ok) return parseRoomId(String(answer.data['room_id']));
  if (answer.errcode === 'M_NOT_FOUND') return undefined;
  throw refused(doing, answer);
}

/** A room into which nobody invited the bot is somebody else's, also when it is open to all. */
async function enter(homeserver: Homeserver, { room, bot, token, adminToken }: RoomWanted, id: RoomId): Promise<void> {
  const { memberships } = await homeserver.must({
    method: 'GET',
    path: `/_synapse/admin/v1/users/${part(bot)}/memberships`,
    token: adminToken,
    doing: "list the bot's rooms",
  });
  const membership = (memberships as Record<string, string>)[id];
  if (membership === 'join') return;
  if (membership !== 'invite') {
    throw new OpsError('conflict', `${room} is another room, and ${bot} is not invited into it.`, {
      hint: `Invite ${bot} there and run this again, or choose another room with --ops-room.`,
    });
  }
  const path = `/_matrix/client/v3/rooms/${part(id)}/join`;
  await homeserver.must({ method: 'POST', path, token, body: {}, doing: `join ${room}` });
}

/**
 * Private, for invited people only. The bot makes it, so from version 12 on its power is without limit and it must not be
 * named among the users; before, an override without it would leave it with none.
 */
async function makeRoom(homeserver: Homeserver, { room, owner, bot, token, encrypted }: RoomWanted): Promise<RoomId> {
  const path = '/_matrix/client/v3/capabilities';
  const { capabilities } = await homeserver.must({ method: 'GET', path, token, doing: 'ask for the room versions' });
  const version = defaultVersion(capabilities);
  const users = { [owner]: 100, ...(Number(version) >= 12 ? {} : { [bot]: 100 }) };
  const doing = `make the room ${room}`;
  const answer = await homeserver.ask({
    method: 'POST',
    path: '/_matrix/client/v3/createRoom',
    token,
    doing,
    body: {
      preset: 'private_chat',
      visibility: 'private',
      room_version: version,
      room_alias_name: room.slice(1, room.indexOf(':')),
      name: 'Operations',
      topic: 'Opsroom: type !help',
      invite: [owner],
      power_level_content_override: { users },
      initial_state: [
        { type: 'm.room.guest_access', state_key: '', content: { guest_access: 'forbidden' } },
        ...(encrypted ? [encryption] : []),
      ],
    },
  });
  if (answer.ok) return parseRoomId(String(answer.data['room_id']));
  if (answer.errcode === 'M_ROOM_IN_USE') {
    throw new OpsError('conflict', `Cannot ${doing}: its alias was taken a moment ago.`, { hint: 'Run this again.' });
  }
  throw refused(doing, answer);
}

function defaultVersion(capabilities: unknown): string {
  const versions = (capabilities as Record<string, { default?: unknown }> | undefined)?.['m.room_versions'];
  return typeof versions?.default === 'string' ? versions.default : '10';
}

/** Invites the owner unless they are in or invited; true when it did. */
async function inviteOwner(homeserver: Homeserver, { owner, token }: RoomWanted, room: RoomId): Promise<boolean> {
  const member = await state(homeserver, { token }, room, 'm.room.member', owner);
  if (member?.['membership'] === 'join' || member?.['membership'] === 'invite') return false;
  const path = `/_matrix/client/v3/rooms/${part(room)}/invite`;
  await homeserver.must({ method: 'POST', path, token, body: { user_id: owner }, doing: `invite ${owner}` });
  return true;
}

/** The content of a state event, undefined when there is none. */
async function state(
  homeserver: Homeserver,
  { token }: { token: Secret },
  room: RoomId,
  type: string,
  key = '',
): Promise<Record<string, unknown> | undefined> {
  const path = `/_matrix/client/v3/rooms/${part(room)}/state/${part(type)}/${part(key)}`;
  const doing = `look at ${room}`;
  const answer = await homeserver.ask({ method: 'GET', path, token, doing });
  if (answer.ok) return answer.data;
  if (answer.status === 404) return undefined;
  throw refused(doing, answer);
}
