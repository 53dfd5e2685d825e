import { z } from 'zod';
import { isRoomAlias, parseRoomId } from './rooms.ts';
import { parseUserId, type UserId } from './accounts.ts';
import { parseCron } from './cron.ts';
import { parseBytes, parseDuration } from './duration.ts';
import { Secret } from './secret.ts';

// The kinds of value that a settings file holds. Messages never repeat the value: it might be a secret in the wrong
// place.

/** Text that `parse` turns into something else; what it throws becomes the problem `should`. */
export const parsed = <T>(parse: (text: string) => T, should: string) =>
  z.string({ error: should }).transform((text, context): T => {
    try {
      return parse(text);
    } catch {
      context.addIssue({ code: 'custom', message: should });
      return z.NEVER;
    }
  });

/** `5m` -> milliseconds. */
export const duration = () => parsed(parseDuration, 'must be a duration such as 90s, 5m, 2h or 30d');

const limitShape = 'must be a number, a duration (5s), a size (2GiB) or a share (90%)';
const quantity = /^(\d+(?:\.\d+)?)(%?)$/;
/** A limit in base units: `5s` -> seconds, `2GiB` -> bytes, `90%` -> 0.9, a bare number as it is. */
export const limit = () =>
  z.union([z.number(), z.string()], { error: limitShape }).transform((value, context): number => {
    if (typeof value === 'number') return value;
    const plain = quantity.exec(value.trim());
    if (plain) return Number(plain[1]) / (plain[2] === '%' ? 100 : 1);
    for (const read of [(text: string) => parseDuration(text) / 1000, parseBytes]) {
      try {
        return read(value);
      } catch {
        // Not this kind; the next is tried.
      }
    }
    context.addIssue({ code: 'custom', message: limitShape });
    return z.NEVER;
  });

export const httpUrl = () =>
  parsed((text) => {
    const url = new URL(text);
    if (!['http:', 'https:'].includes(url.protocol) || url.username !== '' || url.password !== '')
      throw new Error(text);
    return text.replace(/\/+$/, '');
  }, 'must be an http:// or https:// address without a password in it');

export const filePath = () => z.string({ error: 'must be a path' }).min(1, 'must be a path');
export const name = () => z.string({ error: 'must be a name' }).regex(/^[A-Za-z0-9_.-]{1,63}$/, 'must be a name');
export const userId = () => parsed<UserId>(parseUserId, 'must be a Matrix user id such as @name:example.org');
export const room = () =>
  parsed((text) => (isRoomAlias(text) ? text : parseRoomId(text)), 'must be a room id (!…) or alias (#…:server)');

export const timeZone = () =>
  parsed((text) => {
    new Intl.DateTimeFormat('en', { timeZone: text });
    return text;
  }, 'must be a time zone such as Europe/Berlin');

/** Five fields of cron, or `off`, which gives undefined. */
export const cronLine = () =>
  parsed(
    (text) => (text === 'off' ? undefined : parseCron(text).text),
    'must be a cron line of five fields such as "0 2 * * *", or off',
  );

/** `127.0.0.1:9099`, `[::1]:9099`. */
export const listenAddress = () =>
  parsed((text) => {
    const match = /^(\[[0-9a-f:]+\]|[A-Za-z0-9.-]+):(\d{1,5})$/.exec(text);
    const port = Number(match?.[2]);
    if (match?.[1] === undefined || port > 65_535) throw new Error(text);
    return { host: match[1].replace(/^\[|\]$/g, ''), port };
  }, 'must be an address and port such as 127.0.0.1:9099');

/** `chat.example.org:443` */
export const hostAndPort = () =>
  z.string({ error: hostShape }).regex(/^(\[[0-9a-f:]+\]|[A-Za-z0-9.-]+):\d{1,5}$/, hostShape);
const hostShape = 'must be a host and port such as chat.example.org:443';

/** A table of the owner's database, `users`, `"User"` or `app."User"`, taken apart into its exact names. */
export const sqlTable = () =>
  parsed((text) => {
    const part = '(?:"([^"\\0]+)"|([a-z_][a-z0-9_]*))';
    const match = new RegExp(`^(?:${part}\\.)?${part}$`).exec(text);
    const table = match?.[3] ?? match?.[4];
    if (table === undefined) throw new Error(text);
    return { schema: match?.[1] ?? match?.[2], table };
  }, 'must be a table such as users, "User" or app."User" (quotes where it has capitals)');

export const sqlColumn = () =>
  z.string({ error: 'must be a column' }).regex(/^[^"\0]{1,63}$/, 'must be the exact name of a column');

/** The loader has already put a `Secret` where `{ file: … }` or `{ env: … }` stood; what is none here was a literal. */
export const secret = () =>
  z
    .custom<Secret>((value) => value instanceof Secret, {
      error: (issue) => {
        if (issue.input === undefined) return 'is missing';
        return typeof issue.input === 'object'
          ? 'must be { file: PATH } or { env: NAME }'
          : 'is written in the file itself. Put it into a file of mode 0600 and write { file: PATH }, or { env: NAME }';
      },
    })
    .meta({ secret: true });

/** At least one. */
export const some = <T extends z.ZodType>(item: T, what: string) =>
  z.array(item, { error: `must be a list of ${what}` }).min(1, `must name at least one of: ${what}`);
export const wholeNumber = (low: number, high: number) => {
  const should = `must be a whole number from ${low} to ${high}`;
  return z.int({ error: should }).min(low, should).max(high, should);
};
export const oneOf = <const T extends readonly [string, ...string[]]>(words: T) =>
  z.enum(words, {
    error: `must be ${words.length > 1 ? `${words.slice(0, -1).join(', ')} or ${words.at(-1)}` : words[0]}`,
  });
