import { z } from 'zod';
import { httpUrl, secret } from '#domain/setting.ts';

const should = 'must be an http:// or https:// address, or { file: PATH } or { env: NAME } that hold one';

/** One entry of `alerts.fallback`. */
export const settings = z.strictObject({
  webhook: z
    .strictObject({
      url: z.union([secret(), httpUrl()], { error: should }).meta({
        description:
          'Gets a POST with JSON: text, title, users, incidents. In a file when the address itself is a secret.',
        example: 'https://pager.example.org/opsroom',
      }),
      secret: secret().optional().describe('Shown to it as `Authorization: Bearer …`.'),
    })
    .describe('A program that wakes people.'),
});
