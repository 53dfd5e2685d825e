import { expect, test } from 'vitest';
import { accessInWords } from '#procedures/access.ts';

const free = { login: undefined, read: undefined, call: undefined };
const locked = 'the account is locked';

test.each([
  [free, undefined, 'can log in, read and call'],
  [{ login: locked, read: locked, call: locked }, undefined, 'cannot log in, read or call: the account is locked'],
  [
    { ...free, call: 'they are kept out of calls' },
    undefined,
    'cannot call: they are kept out of calls; can log in and read',
  ],
  [
    free,
    'the application cannot be asked',
    'can log in and read; whether they can call is unknown: the application cannot be asked',
  ],
  [{ login: locked, read: locked, call: locked }, 'x', 'cannot log in, read or call: the account is locked'],
])('%j, unknown %j', (access, unknown, words) => {
  expect(accessInWords(access, { call: unknown })).toBe(words);
});
