import { z } from 'zod';
import { filePath } from '#domain/setting.ts';

export const settings = z
  .strictObject({
    directory: filePath().optional().meta({
      description:
        "A further door for Unix users other than the bot's own: the directory of its socket, open to all; each proves who they are. Without it they use sudo.",
      example: '/run/opsroom',
    }),
  })
  .prefault({})
  .describe('`npm start -- exec` and `approve`, for people with `shell` under `people`.');
