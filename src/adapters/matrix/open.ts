import { parseUserId, type UserId } from '#domain/accounts.ts';
import { OpsError } from '#domain/errors.ts';
import { isRoomAlias, parseRoomId, type RoomId } from '#domain/rooms.ts';
import { connect, type MatrixConnection } from './client.ts';

export type MatrixSession = { connection: MatrixConnection; bot: UserId; room: RoomId };

type MatrixOptions = { homeserverUrl: string; accessToken: string; userId: UserId; opsRoom: string };

/** A session as an earlier start proved it: opens at once, also while the homeserver is down. */
export const reopenMatrix = (options: MatrixOptions, room: RoomId): MatrixSession => ({
  connection: connect(options),
  bot: options.userId,
  room,
});

/**
 * Proves the token, finds the ops room and joins it. Throws `unavailable` while the homeserver is down, `misconfigured`
 * when the token is dead or another account's, `denied` when the bot may not join.
 */
export async function openMatrix(options: MatrixOptions): Promise<MatrixSession> {
  const connection = connect(options);
  const { request } = connection;
  const whoami = request('GET', '/_matrix/client/v3/account/whoami');
  const room = findRoom(connection, options.opsRoom);
  room.catch(() => {});
  const bot = parseUserId(String((await whoami)['user_id']));
  if (bot !== options.userId) {
    throw new OpsError('misconfigured', `The access token belongs to ${bot}, not to ${options.userId}.`, {
      hint: 'Change matrix.userId or matrix.accessToken in the settings file.',
    });
  }
  try {
    await request('POST', `/_matrix/client/v3/rooms/${encodeURIComponent(await room)}/join`, null, {});
  } catch (error) {
    if (!(error instanceof OpsError) || error.kind !== 'denied') throw error;
    const hint = `Invite ${bot} to ${options.opsRoom} and start again.`;
    throw new OpsError('denied', `The bot may not join the ops room ${options.opsRoom}.`, { hint, cause: error });
  }
  return { connection, bot, room: await room };
}

async function findRoom(connection: MatrixConnection, opsRoom: string): Promise<RoomId> {
  if (!isRoomAlias(opsRoom)) return parseRoomId(opsRoom);
  try {
    const path = `/_matrix/client/v3/directory/room/${encodeURIComponent(opsRoom)}`;
    return parseRoomId(String((await connection.request('GET', path))['room_id']));
  } catch (error) {
    if (!(error instanceof OpsError) || error.kind !== 'notFound') throw error;
    const hint = 'Make the room first (npm start -- init does), or put its id into matrix.opsRoom.';
    throw new OpsError('misconfigured', `There is no room ${opsRoom}.`, { hint, cause: error });
  }
}
