import { stat } from 'node:fs/promises';
import { type MatrixSession, reopenMatrix } from '#adapters/matrix/open.ts';
import { OpsError } from '#domain/errors.ts';
import type { Ledger } from '#domain/ledger.ts';
import { isRoomAlias, parseRoomId, type RoomId } from '#domain/rooms.ts';
import type { Settings } from './settings.ts';

/** The bot's place in its room without asking the homeserver: what is said waits in the outbox until the bot runs. */
export function closedSession(settings: Settings['matrix'], ledger: Ledger): MatrixSession {
  const proved = ledger.switch('proved-session') as { room: RoomId; opsRoom: string } | undefined;
  const { homeserverUrl, userId, opsRoom, accessToken } = settings;
  const known = proved?.opsRoom === opsRoom ? proved.room : undefined;
  if (known === undefined && isRoomAlias(opsRoom)) {
    throw new OpsError('misconfigured', `The bot has never been in ${opsRoom}, so it does not know that room's id.`, {
      hint: 'Put the id (!…) into matrix.opsRoom, or start the bot once.',
    });
  }
  const login = { homeserverUrl, userId, opsRoom, accessToken: accessToken.reveal() };
  return reopenMatrix(login, known ?? parseRoomId(opsRoom));
}

/**
 * Files that root leaves in the bot's memory would shut the bot out, so root works as the owner of the directory. True
 * when it did.
 */
export async function becomeOwnerOf(directory: string): Promise<boolean> {
  const owner = await stat(directory).catch(() => undefined);
  if (owner === undefined || process.getuid?.() !== 0 || owner.uid === 0) return false;
  process.setgroups?.([owner.gid]);
  process.setgid?.(owner.gid);
  process.setuid?.(owner.uid);
  return true;
}
