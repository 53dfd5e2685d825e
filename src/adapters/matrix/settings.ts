import { z } from 'zod';
import { httpUrl, oneOf, room, secret, userId } from '#domain/setting.ts';

export const settings = z
  .strictObject({
    homeserverUrl: httpUrl().meta({
      description: "The homeserver's client API, as the bot reaches it.",
      example: 'http://127.0.0.1:8008',
    }),
    userId: userId().meta({ description: "The bot's own account.", example: '@opsroom:example.org' }),
    accessToken: secret().meta({ description: 'Its access token.', example: { file: './secrets/matrix-token' } }),
    password: secret()
      .optional()
      .meta({
        description: 'Its password: with it the bot is given a new token when this one is dead (`npm start -- mend`).',
        example: { file: './secrets/matrix-password' },
      }),
    opsRoom: room().meta({
      description: 'The room it listens in, by id or alias. It must be a member.',
      example: '#ops:example.org',
    }),
    encryption: oneOf(['auto', 'required', 'off'])
      .default('auto')
      .describe(
        'auto: as the room is. required: commands in a clear room are refused. off: encrypted rooms are not read.',
      ),
  })
  .describe('Where the bot lives.');
