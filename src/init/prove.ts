import { parseUserId, serverOf, type UserId } from '#domain/accounts.ts';
import { OpsError } from '#domain/errors.ts';
import type { Secret } from '#domain/secret.ts';
import type { Ready } from './accounts.ts';
import type { Answers } from './flags.ts';
import { type Homeserver, part, refused } from './homeserver.ts';

export async function proveAdmin(
  homeserver: Homeserver,
  { user, token }: Pick<Ready, 'user' | 'token'>,
): Promise<void> {
  const path = `/_synapse/admin/v2/users/${part(user)}`;
  const doing = `prove that ${user} is a server admin`;
  const answer = await homeserver.ask({ method: 'GET', path, token, doing });
  if (answer.ok && answer.data['admin'] === true) return;
  if (!answer.ok && answer.status !== 403) throw refused(doing, answer);
  throw new OpsError('misconfigured', `${user} is not a server admin.`, {
    hint: `Another admin can make it one: PUT /_synapse/admin/v1/users/${user}/admin {"admin": true}.`,
  });
}

/** The owner in full. Someone who doesn't exist could never say a command, and an invitation to them would not be seen. */
export async function requireOwner(
  homeserver: Homeserver,
  admin: Ready,
  answers: Answers & { owner: string },
  server: string,
): Promise<UserId> {
  const wantedServer = answers['server-name'];
  if (wantedServer !== undefined && wantedServer !== server) {
    throw new OpsError('misconfigured', `This homeserver is ${server}, not ${wantedServer}.`, {
      hint: 'Mend --homeserver or --server-name.',
    });
  }
  const owner = parseUserId(answers.owner.includes(':') ? answers.owner : `${answers.owner}:${server}`);
  if (serverOf(owner) !== server) return owner;
  const path = `/_synapse/admin/v2/users/${part(owner)}`;
  const doing = `look up ${owner}`;
  const answer = await homeserver.ask({ method: 'GET', path, token: admin.token, doing });
  if (answer.ok && answer.data['deactivated'] !== true) return owner;
  if (!answer.ok && answer.status !== 404) throw refused(doing, answer);
  throw new OpsError('invalid', `There is no ${answer.ok ? 'active ' : ''}account ${owner} on this homeserver.`, {
    hint: '--owner must be an account that exists: yours.',
  });
}

/** 0 and 0 is Synapse's word for no limit. True when it was not so before. */
export async function liftRateLimit(homeserver: Homeserver, token: Secret, user: UserId): Promise<boolean> {
  const path = `/_synapse/admin/v1/users/${part(user)}/override_ratelimit`;
  const doing = `lift the rate limit of ${user}`;
  const known = await homeserver.must({ method: 'GET', path, token, doing });
  if (known['messages_per_second'] === 0 && known['burst_count'] === 0) return false;
  await homeserver.must({ method: 'POST', path, token, doing, body: { messages_per_second: 0, burst_count: 0 } });
  return true;
}

/** `#ops` with the server that it lies on. */
export function fullAlias(room: string, server: string): string {
  if (room.startsWith('!') || room.endsWith(`:${server}`)) return room;
  if (!room.includes(':')) return `${room}:${server}`;
  throw new OpsError('invalid', `${room} is a room of another server; this one is ${server}.`, {
    hint: `Write --ops-room '${room.slice(0, room.indexOf(':'))}'.`,
  });
}
