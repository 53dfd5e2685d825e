import { OpsError } from '#domain/errors.ts';

/** On errors that a new login of the bot, and nothing else, helps against. */
const mark = Symbol('the keys of the device are lost');

/** The homeserver knows keys of this device that the bot has not: a device never gets other keys. */
export const keysLost = (device: string, why: string): OpsError =>
  new OpsError('misconfigured', `The bot's device ${device} cannot be used any more: ${why}.`, {
    hint:
      'A device cannot get new keys, so the bot needs a new login. Set matrix.password, with which it does that by itself, ' +
      'or put the token of a new login into the token file, and start it again. Its identity stays: nobody has to verify it anew.',
    cause: mark,
  });

export const areKeysLost = (error: unknown): boolean => error instanceof OpsError && error.cause === mark;
