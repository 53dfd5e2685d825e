import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Secret } from '#domain/secret.ts';
import { formsOf } from '#domain/secret-forms.ts';
import { Scrubber } from '#domain/scrubber.ts';
import { growth, linear } from '#test/fixtures/growth.ts';

const token = 'syt_b3Bzcm9vbQ_CANARYcanary0123abcd_1Zx9aB';
const value = 'c4nary/value+"with\\odd<signs>&ä_77';
const knowing = (...secrets: string[]): Scrubber => {
  const scrubber = new Scrubber();
  secrets.forEach((secret, at) => scrubber.keep(new Secret(secret), `part.secret${at}`));
  return scrubber;
};

const ways: Array<[string, (secret: string) => string]> = [
  ['raw', (secret) => secret],
  ['in JSON', (secret) => JSON.stringify({ secret })],
  ['in JSON in JSON', (secret) => JSON.stringify(JSON.stringify({ secret }))],
  ['in a URL', (secret) => `https://x.test/?q=${encodeURIComponent(secret)}`],
  ['in a form', (secret) => new URLSearchParams({ secret }).toString()],
  ['in hex', (secret) => Buffer.from(secret).toString('hex')],
  ['in base64', (secret) => Buffer.from(secret).toString('base64')],
  ['as basic auth', (secret) => `Basic ${Buffer.from(`user:${secret}`).toString('base64')}`],
  ['in the middle of base64url', (secret) => Buffer.from(`ab${secret}cd`).toString('base64url')],
  [
    'in HTML',
    (secret) =>
      secret.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;'),
  ],
  ['over two lines', (secret) => `${secret.slice(0, 9)}\n   ${secret.slice(9)}`],
  ['over two lines in JSON', (secret) => JSON.stringify(`${secret.slice(0, 9)}\r\n\t${secret.slice(9)}`)],
  [
    'in base64 of 76 columns',
    (secret) =>
      Buffer.from('x'.repeat(70) + secret)
        .toString('base64')
        .replaceAll(/.{76}/g, '$&\n'),
  ],
];

test.each(ways)('G1: a known secret is hidden %s', (_, way) => {
  for (const secret of [value, 'Zq8-Wn3_long-enough-canary-0001']) {
    const shown = knowing(secret).text(`before ${way(secret)} after`);
    expect(shown).toContain('<secret>');
    expect(shown).toMatch(/^before .*after$/s);
    for (const form of formsOf(secret)) expect(shown.replaceAll(/\s|\\[nrt]/g, '')).not.toContain(form);
  }
});

test('G1: any secret in any text, wherever it stands', () => {
  const secrets = fc
    .string({ minLength: 8, maxLength: 60, unit: 'grapheme' })
    .filter((text) => text.trim() === text && formsOf(text).length > 0);
  fc.assert(
    fc.property(
      secrets,
      fc.string(),
      fc.string(),
      fc.constantFrom(...ways.slice(0, 9)),
      (secret, before, after, [, way]) => {
        const shown = knowing(secret).text(before + way(secret) + after);
        expect(shown).not.toContain(secret);
      },
    ),
    { numRuns: 2000 },
  );
});

const others: Array<[string, string, string]> = [
  ['a Matrix token', `it said ${token}.`, 'it said <secret>.'],
  ['a token of the authentication service', 'mat_8sdG2kd92JDns02kdHs7Gd62hGs9aB_x1Y2z3 ended', '<secret> ended'],
  [
    'a JWT',
    'invalid token: eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJkZXZrZXkifQ.AAAA-bbb_1, error',
    'invalid token: <secret>, error',
  ],
  ['a bearer header', 'Authorization: Bearer abc.def', 'Authorization: Bearer <secret>'],
  ['a header in JSON', '{"authorization":"Basic dXNlcjpw"}', '{"authorization":"Basic <secret>"}'],
  [
    'an address with a password',
    'postgres://synapse:h+nt@db:5432/x failed',
    'postgres://synapse:<secret>@db:5432/x failed',
  ],
  ['a query', 'GET /x?access_token=abcdef12&y=1', 'GET /x?access_token=<secret>&y=1'],
  ['a field', '{"password":"hunter22!","user":"x"}', '{"password":"<secret>","user":"x"}'],
  ['a line of YAML', 'macaroon_secret_key: "a1b2c3d4e5f6"', 'macaroon_secret_key: "<secret>"'],
  ['a private key', '-----BEGIN PRIVATE KEY-----\nMIIEvQ+/=\nAAAA\n-----END PRIVATE KEY-----\nend', '<secret>\nend'],
  ['a cut off private key', 'x -----BEGIN EC PRIVATE KEY-----\nMIIEvQ', 'x <secret>'],
];
test.each(others)('%s that nobody told of is known by its shape', (_, text, shown) => {
  expect(new Scrubber().text(text)).toBe(shown);
});

test.each([
  'The password of @bob:example.org was reset. Basic authentication works as well.',
  'Send the secret as Authorization: Bearer …',
  'line 3, postgres.password: is in /etc/opsroom/pw, which others may open (mode 0644).',
  'https://matrix.to/#/@bob:example.org and http://127.0.0.1:8008/_matrix/client/@bob:example.org',
  'syt_ is how a token begins; r1042 a17 20260801T020000Z-000231',
  '8f14e45fceea167a5a36dedd4bea2543 sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824',
])('ordinary text stays as it is: %s', (text) => {
  expect(knowing(token, value).text(text)).toBe(text);
});

test('a weak secret is hidden where it is shown as one, and does not eat the words that it is made of', () => {
  const scrubber = knowing('postgres', 'abc');
  expect(scrubber.text('postgres://synapse:postgres@db/postgres is down, abc')).toBe(
    'postgres://synapse:<secret>@db/postgres is down, abc',
  );
});

test('the password inside a known address is a secret too', () => {
  const scrubber = knowing('postgres://app:p%40ss-w0rd-9@db/app');
  expect(scrubber.text('auth failed for p@ss-w0rd-9')).toBe('auth failed for <secret>');
});

test('what was learnt last is hidden, the oldest of many is forgotten, those of the settings never', () => {
  const scrubber = knowing('setting-secret-0001');
  for (let at = 0; at < 200; at += 1) scrubber.learn(`made-later-${at}-xyz`, 'a token');
  expect(scrubber.text('setting-secret-0001 made-later-199-xyz made-later-0-xyz')).toBe(
    '<secret> <secret> made-later-0-xyz',
  );
});

test('texts inside a value are scrubbed, keys too, and one without secrets is the same object', () => {
  const scrubber = knowing(value);
  const clean = { a: ['b', 1, null], c: { d: true } };
  expect(scrubber.value(clean)).toBe(clean);
  expect(scrubber.value({ [value]: [{ text: `x ${value}` }], n: 1 })).toEqual({
    '<secret>': [{ text: 'x <secret>' }],
    n: 1,
  });
  let deep: unknown = value;
  for (let at = 0; at < 5000; at += 1) deep = [deep];
  expect(JSON.stringify(scrubber.value(deep))).not.toContain('c4nary');
});

test('what was found is told by name, never shown', () => {
  const scrubber = knowing(token, value);
  expect(scrubber.find(`look: ${token}`)).toEqual({ settings: ['part.secret0'], shapes: [] });
  expect(scrubber.find(`${value.slice(0, 8)}\n${value.slice(8)}`)).toEqual({ settings: ['part.secret1'], shapes: [] });
  expect(scrubber.find('syt_YWxpY2U_abcdefghijklmnopqrst_0aBcDe').shapes).toEqual(['a Matrix access token']);
  expect(scrubber.find('the token is in the file')).toEqual({ settings: [], shapes: [] });
});

test.each([
  'syt_',
  'eyJ',
  'eyJhbGciOi.',
  '-----BEGIN PRIVATE KEY-----',
  '-----BEGIN ',
  '://a:',
  '://',
  'Bearer ',
  'authorization: bearer ',
  'password',
  'password: "',
  'password=',
  '\\',
  '\\n',
  ' ',
  '\n',
  'mat_a',
  token.slice(0, 20),
  value.slice(0, 10),
  'AGE-SECRET-KEY-1',
  '\ud800',
])('H1: its time is linear in a text of nothing but %j', (piece) => {
  const scrubber = knowing(token, value);
  expect(growth((size) => scrubber.text(piece.repeat(size)), 1000)).toBeLessThan(linear);
});
