import { connect } from '#adapters/matrix/client.ts';
import { areKeysLost } from '#adapters/matrix/crypto/keys-lost.ts';
import { asOpsError, OpsError } from '#domain/errors.ts';
import type { Log } from '#domain/log.ts';
import { Secret } from '#domain/secret.ts';
import { replaceFile } from './private-file.ts';
import type { Settings } from './settings.ts';

/** Can the bot log in by itself, and keep the token where the next start finds it? */
export const mayLogIn = ({ matrix }: Settings): boolean =>
  matrix.password !== undefined && matrix.accessToken.file !== undefined;

/**
 * A new device of the bot, whose keys are nobody's yet: its saved identity signs it at the next start. Gives the settings
 * with its token, which lies in the token's file by then; the old device is logged out.
 */
export async function logIn(settings: Settings, log: Log): Promise<Settings> {
  const { homeserverUrl, userId, accessToken, password } = settings.matrix;
  const file = accessToken.file;
  if (password === undefined || file === undefined)
    throw new OpsError('misconfigured', 'The bot cannot log in by itself.', { hint: 'Set matrix.password.' });
  const old = connect({ homeserverUrl, accessToken: accessToken.reveal() });
  const answer = await old.request('POST', '/_matrix/client/v3/login', null, {
    type: 'm.login.password',
    identifier: { type: 'm.id.user', user: userId },
    password: password.reveal(),
    initial_device_display_name: 'opsroom',
  });
  const token = new Secret(String(answer['access_token']), file);
  try {
    await replaceFile(file, `${token.reveal()}\n`);
  } catch (cause) {
    throw new OpsError('misconfigured', `The token of the bot's new login cannot be written into ${file}.`, {
      hint: `Let the bot's Unix user write there, and start it again.`,
      cause,
    });
  }
  // People's clients would go on encrypting for a device that nobody has.
  await old.request('POST', '/_matrix/client/v3/logout', null, {}).catch(() => undefined);
  log.warn({ device: answer['device_id'], file }, 'the bot has a new device; its token is in the token file');
  return { ...settings, matrix: { ...settings.matrix, accessToken: token } };
}

/** The same after keys were lost. Throws the error itself when it is another, or when the bot can't log in by itself. */
export async function withNewLogin(settings: Settings, error: unknown, log: Log): Promise<Settings> {
  if (!areKeysLost(error) || !mayLogIn(settings)) throw error;
  log.warn({ why: asOpsError(error).message }, 'the bot logs in anew, as a new device');
  return logIn(settings, log);
}
