import { createHmac, randomBytes } from 'node:crypto';
import { localpartOf, parseUserId, type UserId } from '#domain/accounts.ts';
import { OpsError } from '#domain/errors.ts';
import { Secret } from '#domain/secret.ts';
import { type Homeserver, part, refused } from './homeserver.ts';
import type { SecretsDirectory } from './private-files.ts';

export type Wanted = {
  localpart: string;
  displayName: string;
  admin: boolean;
  /** `matrix` -> secrets/matrix-token and secrets/matrix-password. */
  secrets: 'matrix' | 'synapse-admin';
  /** The flag that gives it another name. */
  flag: string;
};
export type Ready = { user: UserId; token: Secret; how: 'made' | 'known' | 'renewed' };

/** A way to make accounts. `taken`: the name is somebody's. */
export type AccountMaker = (
  wanted: Wanted,
  password: Secret,
  deviceName: string,
) => Promise<{ token: Secret | undefined } | 'taken'>;

/** By the registration shared secret: needs no token, has no rate limit, works where passwords are switched off. */
export function sharedSecretMaker(homeserver: Homeserver, secret: Secret): AccountMaker {
  const path = '/_synapse/admin/v1/register';
  const hint = 'It is registration_shared_secret in homeserver.yaml; Synapse reads it at its start.';
  return async ({ localpart, displayName, admin }, password, deviceName) => {
    const doing = `make @${localpart} with the shared secret`;
    const start = await homeserver.ask({ method: 'GET', path, doing });
    if (!start.ok) {
      if (!/not enabled/i.test(start.said)) throw refused(doing, start);
      throw new OpsError('misconfigured', `Cannot ${doing}: the homeserver has no registration shared secret.`, {
        hint,
      });
    }
    const nonce = String(start.data['nonce']);
    const answer = await homeserver.ask({
      method: 'POST',
      path,
      doing,
      body: {
        nonce,
        username: localpart,
        password: password.reveal(),
        displayname: displayName,
        admin,
        initial_device_display_name: deviceName,
        mac: registrationMac(secret, { nonce, localpart, password, admin }),
      },
    });
    if (answer.ok) return { token: new Secret(String(answer.data['access_token'])) };
    if (answer.errcode === 'M_USER_IN_USE') return 'taken';
    if (/hmac/i.test(answer.said)) {
      throw new OpsError('misconfigured', `Cannot ${doing}: it is not the secret of this homeserver.`, { hint });
    }
    throw refused(doing, answer);
  };
}

type Signed = { nonce: string; localpart: string; password: Secret; admin: boolean };
/** As Synapse's admin API asks for it ("Shared-Secret Registration"). */
export function registrationMac(secret: Secret, { nonce, localpart, password, admin }: Signed): string {
  const signed = [nonce, localpart, password.reveal(), admin ? 'admin' : 'notadmin'].join('\0');
  return createHmac('sha1', secret.reveal()).update(signed).digest('hex');
}

/** By a server admin's token. Looks first: a PUT on an account that exists would change it. */
export function adminMaker(homeserver: Homeserver, token: Secret, serverName: string): AccountMaker {
  return async ({ localpart, displayName, admin }, password) => {
    const user = `@${localpart}:${serverName}`;
    const path = `/_synapse/admin/v2/users/${part(user)}`;
    const doing = `make ${user}`;
    const found = await homeserver.ask({ method: 'GET', path, token, doing });
    if (found.ok) return 'taken';
    if (found.status !== 404 || found.errcode === 'M_UNRECOGNIZED') throw refused(doing, found);
    const body = { password: password.reveal(), displayname: displayName, admin };
    const made = await homeserver.ask({ method: 'PUT', path, token, body, doing });
    if (made.status === 201) return { token: undefined };
    if (made.ok)
      throw new OpsError('conflict', `Somebody else made ${user} at the same moment; its password is now ours.`);
    throw refused(doing, made);
  };
}

/**
 * An account with a working token, from whatever an earlier run has left. The password is on the disk before the account
 * is made: so a run that was cut off finds its own account again, and knows a stranger's by not having its password.
 */
export async function ensureAccount(
  wanted: Wanted,
  by: { homeserver: Homeserver; make: AccountMaker; secrets: SecretsDirectory; deviceName: string; keepOld: boolean },
): Promise<Ready> {
  const { homeserver, secrets, deviceName, keepOld } = by;
  const tokenFile = `${wanted.secrets}-token`;
  const known = await secrets.find(tokenFile);
  const owner = known && (await ownerOf(homeserver, known));
  if (known && owner && localpartOf(owner) === wanted.localpart) {
    await secrets.put(tokenFile, known);
    return { user: owner, token: known, how: 'known' };
  }
  const passwordFile = `${wanted.secrets}-password`;
  const kept = await secrets.find(passwordFile);
  const password = kept ?? new Secret(randomBytes(24).toString('base64url'));
  if (kept === undefined) await secrets.put(passwordFile, password);
  const made = await by.make(wanted, password, deviceName);
  const mayBeOurs = made !== 'taken' || kept !== undefined;
  const token =
    (made === 'taken' ? undefined : made.token) ??
    (mayBeOurs ? await login(homeserver, wanted.localpart, password, deviceName) : undefined);
  if (token === undefined) throw taken(wanted, secrets, passwordFile);
  await secrets.put(tokenFile, token, { keepOld });
  const user = await ownerOf(homeserver, token);
  if (user === undefined) throw new OpsError('internal', `The new token of @${wanted.localpart} does not work.`);
  return { user, token, how: made === 'taken' ? 'renewed' : 'made' };
}

function taken(wanted: Wanted, secrets: SecretsDirectory, passwordFile: string): OpsError {
  return new OpsError('conflict', `@${wanted.localpart} exists already and was not made by init: it is left alone.`, {
    hint:
      `Choose another name with --${wanted.flag} NAME. If the account is the bot's own from before, ` +
      `put its password into ${secrets.path}/${passwordFile} (mode 0600).`,
  });
}

/** Whose token it is; undefined when it works no more. */
export async function ownerOf(homeserver: Homeserver, token: Secret): Promise<UserId | undefined> {
  const doing = 'find out whose token it is';
  const answer = await homeserver.ask({ method: 'GET', path: '/_matrix/client/v3/account/whoami', token, doing });
  if (answer.ok) return parseUserId(String(answer.data['user_id']));
  if (answer.status === 401) return undefined;
  throw refused(doing, answer);
}

/** A new device, so that the time in its name is the token's age. Undefined when the password isn't the account's. */
async function login(
  homeserver: Homeserver,
  localpart: string,
  password: Secret,
  deviceName: string,
): Promise<Secret | undefined> {
  const doing = `log in as @${localpart}`;
  const answer = await homeserver.ask({
    method: 'POST',
    path: '/_matrix/client/v3/login',
    doing,
    body: {
      type: 'm.login.password',
      identifier: { type: 'm.id.user', user: localpart },
      password: password.reveal(),
      initial_device_display_name: deviceName,
    },
  });
  if (answer.ok) return new Secret(String(answer.data['access_token']));
  if (answer.status === 403 && answer.errcode === 'M_FORBIDDEN') return undefined;
  throw refused(doing, answer);
}
