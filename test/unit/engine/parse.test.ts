import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OpsError } from '#domain/errors.ts';
import { Count, Duration, Flag, none, RestOfLine, RoleName, User, Word, Words, z } from '#engine/args.ts';
import { Catalogue } from '#engine/catalogue.ts';
import { type Command, defineQuery } from '#engine/command.ts';
import {
  checkArgs,
  findCommand,
  type ParseContext,
  readArgs,
  resolveUser,
  typedLine,
  userOfLink,
} from '#engine/parse.ts';
import { botUser } from '#test/fakes/house.ts';
import { World } from '#test/fakes/world.ts';
import { hello, remove } from '#test/fixtures/small-commands.ts';

const query = (args: z.ZodObject, positional: string[] = []): Command =>
  defineQuery({ summary: 'x', examples: [''], args, positional, answer: () => 1, view: () => ({ title: 'x' }) });
const catalogue = new Catalogue(
  new Map<string, Command>([
    ['remove', remove(new World())],
    ['hello', hello()],
    [
      'list',
      query(
        z.strictObject({ text: Words.optional(), limit: Count.default(10), idle: Duration.optional(), open: Flag }),
        ['text'],
      ),
    ],
    ['user', query(z.strictObject({ user: User }), ['user'])],
    ['user role', query(z.strictObject({ user: User, role: RoleName }), ['user', 'role'])],
    ['grep', query(z.strictObject({ service: Word, re: Word.optional() }), ['service'])],
    ['note', query(z.strictObject({ text: RestOfLine }), ['text'])],
    ['calls', query(none)],
  ]),
);
type Link = { href: string; text: string };
const context = (links: Link[] = []): ParseContext => ({ prefix: '!', bot: botUser, serverName: 'example.org', links });

/** What the door does with a line: the command and its checked arguments, or the refusal. */
function read(
  line: string,
  links: Link[] = [],
): { name: string; args: Record<string, unknown>; dryRun: boolean } | undefined {
  const parsed = findCommand(line, catalogue, context(links));
  if (parsed.kind !== 'command') return undefined;
  const typed = readArgs(parsed, catalogue, context(links));
  return { name: typed.name, args: checkArgs(typed, catalogue, context(links)), dryRun: typed.dryRun };
}
const args = (line: string, links: Link[] = []): unknown => read(line, links)?.args;
const refusal = (line: string, links: Link[] = []): OpsError => {
  try {
    read(line, links);
  } catch (error) {
    expect(error).toBeInstanceOf(OpsError);
    return error as OpsError;
  }
  throw new Error(`taken: ${line}`);
};
const mallory = '@mallory:example.org';

describe('whom it is for', () => {
  test.each([
    '!calls',
    ' !calls',
    '! calls',
    '!CALLS',
    '!Calls.',
    '!call',
    '!calls\n',
    '!\u00a0calls',
    'opsroom: calls',
    'OpsRoom, calls',
    '@opsroom: calls',
    '@opsroom:example.org: calls',
  ])('%j is', (line) => expect(read(line)?.name).toBe('calls'));
  test.each([
    'calls',
    '',
    '?calls',
    'opsroom calls',
    'opsroom:calls',
    'notopsroom: calls',
    'my opsroom: calls',
    '> !calls',
    '@opsroom:elsewhere.org: calls',
  ])('%j is not', (line) => expect(findCommand(line, catalogue, context())).toEqual({ kind: 'none' }));
  test('another prefix, also of more than one character', () => {
    const of = (prefix: string, line: string) => findCommand(line, catalogue, { ...context(), prefix }).kind;
    expect([of('ops ', 'ops calls'), of('$^', '$^calls'), of('$^', '!calls')]).toEqual(['command', 'command', 'none']);
  });
  test('the longest name wins', () => {
    expect(read('!user role mallory admin')).toMatchObject({
      name: 'user role',
      args: { user: mallory, role: 'admin' },
    });
    expect(read('!user mallory')).toMatchObject({ name: 'user', args: { user: mallory } });
    expect(read('!users roles mallory admin')?.name).toBe('user role');
  });
  test('an unknown word is told with what is near it', () => {
    const near = (line: string) => findCommand(line, catalogue, context());
    expect(near('!remvoe mallory x')).toEqual({ kind: 'unknown', word: 'remvoe', near: ['remove'] });
    expect(near('!xyzzy')).toEqual({ kind: 'unknown', word: 'xyzzy', near: [] });
    expect(near('!')).toEqual({ kind: 'unknown', word: '', near: [] });
    for (const word of ['__proto__', 'constructor', 'toString', 'hasOwnProperty'])
      expect(near(`!${word}`).kind).toBe('unknown');
  });
});

describe('arguments', () => {
  test.each([
    ['!remove mallory posting spam', { user: mallory, reason: 'posting spam', soft: false }],
    ['!remove --soft mallory posting spam', { user: mallory, reason: 'posting spam', soft: true }],
    ['!remove mallory --soft posting spam', { user: mallory, reason: 'posting spam', soft: true }],
    ['!remove –soft mallory spam', { user: mallory, reason: 'spam', soft: true }],
    ['!remove —soft mallory spam', { user: mallory, reason: 'spam', soft: true }],
    ['!remove\u00a0mallory\u00a0posting\u00a0spam', { user: mallory, reason: 'posting\u00a0spam', soft: false }],
    ['!remove --soft --soft mallory spam', { user: mallory, reason: 'spam', soft: true }],
    ['!remove --soft=true mallory spam', { user: mallory, reason: 'spam', soft: true }],
    ['!remove --soft=false mallory spam', { user: mallory, reason: 'spam', soft: false }],
    ['!list', { limit: 10, open: false }],
    ['!list --limit 5 some text here', { text: 'some text here', limit: 5, open: false }],
    ['!list --limit=5 --open', { limit: 5, open: true }],
    ['!list --limit 5 --limit 6', { limit: 6, open: false }],
    ['!list --idle 2h “some   text”', { text: 'some   text', limit: 10, idle: 7_200_000, open: false }],
    ['!grep --re "a b" synapse', { service: 'synapse', re: 'a b' }],
    ['!grep 1e3', { service: '1e3' }],
    ['!grep 1.10', { service: '1.10' }],
    ['!grep 007 --re 0x10', { service: '007', re: '0x10' }],
  ])('%j', (line, expected) => expect(args(line)).toEqual(expected));

  test.each([
    ['!remove', '<user> is missing.'],
    ['!remove mallory', '<reason> is missing.'],
    ['!remove --soft mallory', '<reason> is missing.'],
    ['!user mallory bob', '"bob" is one word too many.'],
    ['!calls now', '"now" is one word too many.'],
    ['!remove --hard mallory x', "I don't know the flag --hard."],
    ['!remove --no-soft mallory x', "I don't know the flag --no-soft."],
    ['!remove --Soft mallory x', "I don't know the flag --Soft."],
    ['!remove -s mallory x', "I don't know the flag -s."],
    ['!user --no-x mallory', "I don't know the flag --no-x."],
    ['!remove --no-soft bob mallory x', "I don't know the flag --no-soft."],
    ['!list --a.b', "I don't know the flag --a.b."],
    ['!list --limit.a=1', "I don't know the flag --limit.a."],
    ['!list --limit.a 1 --open', "I don't know the flag --limit.a."],
    ['!list --a.b=1', "I don't know the flag --a.b=1."],
    ['!list --limit', '--limit needs a value.'],
    ['!list --limit --open', '--limit needs a value.'],
    ['!list --limit=', '--limit needs a value.'],
    ['!list --limit many', '--limit cannot be'],
    ['!list --limit 0', '--limit cannot be'],
    ['!list --limit 1.5', '--limit cannot be'],
    ['!list --idle soon', 'idle: "soon" is not a duration. Write 90s'],
    ['!remove --soft=yes mallory x', '--soft takes no value.'],
    ['!remove --soft= mallory x', '--soft takes no value.'],
    ['!remove "mallory x', 'The quote that begins at "mallory does not end.'],
    ['!grep „synapse', 'does not end.'],
    ['!user role mallory king', 'role cannot be'],
    ['!remove bob@example.org x', '"bob@example.org" is an e-mail address.'],
    ['!remove @bob:exam/ple x', 'is not a Matrix user id.'],
    ['!list --dry-run', "I don't know the flag --dry-run."],
  ])('%j is refused: %s', (line, why) => {
    const error = refusal(line);
    expect(error.kind).toBe('invalid');
    expect(error.message).toContain(why);
    expect(error.hint).toBeTruthy();
  });

  test('a refusal shows the usage', () => {
    expect(refusal('!remove').hint).toBe('Usage: !remove [--dry-run] [--soft] @user <reason>');
  });

  test('--dry-run is of every change, anywhere before the free text', () => {
    expect(read('!remove --dry-run mallory x')?.dryRun).toBe(true);
    expect(read('!remove mallory —dry-run x')).toMatchObject({ dryRun: true, args: { reason: 'x' } });
    expect(read('!remove mallory x --dry-run')).toMatchObject({ dryRun: false, args: { reason: 'x --dry-run' } });
  });

  test('free text is verbatim: flags, quotes, dashes, spaces, lines', () => {
    for (const text of [
      'spam --soft',
      'said "no',
      '“curly” – dashes',
      'two  spaces',
      'a\nb',
      '«quoted»',
      "it's 5 o'clock",
      '-1',
      '--',
      '= --reason=x',
      '"a" b',
      '@bob:example.org too',
    ]) {
      expect(args(`!remove mallory ${text}`), text).toEqual({ user: mallory, reason: text, soft: false });
      if (!text.startsWith('--') && !text.startsWith('= ')) expect(args(`!note ${text}`), text).toEqual({ text });
    }
  });

  test('any free text that does not begin like a flag comes out as it went in', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 200 }), (text) => {
        fc.pre(text.trim() !== '' && !/^[-–—―]/.test(text.trim()) && splitable(text));
        expect(args(`!remove mallory ${text}`)).toEqual({ user: mallory, reason: text.trim(), soft: false });
      }),
      { numRuns: 500 },
    );
  });
  // A text of nothing but invisible characters is no text.
  const splitable = (text: string): boolean =>
    /[^\s\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/.test(text.trim().split(/\s/)[0] ?? '');
});

describe('no text makes it throw anything else, or hang', () => {
  const scraps = fc.constantFrom(
    '!',
    'remove',
    'user',
    'role',
    'list',
    'note',
    '--',
    '--soft',
    '–soft',
    '--limit',
    '=',
    '"',
    '“',
    '”',
    '«',
    "'",
    ' ',
    '\u00a0',
    '\u200b',
    '\u202e',
    '@',
    'mallory',
    ':',
    'example.org',
    '.',
    '-',
    '1e3',
    '1.10',
    '--a.b',
    '__proto__',
    '--__proto__',
    '--constructor=1',
    '\n',
    '\t',
    '`',
    '<',
    'é',
    '\ud83d',
    '😀',
    ',',
    '!user ',
    '-x',
    '--no-soft',
    'https://matrix.to/#/',
    '%40',
    '%',
    'matrix:u/',
  );
  const line = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(scraps, { maxLength: 20 }).map((parts) => parts.join('')),
    fc.array(scraps, { maxLength: 20 }).map((parts) => `!${parts.join(' ')}`),
  );
  const links = fc.array(
    fc.record({
      href: fc.oneof(
        fc.constant('https://matrix.to/#/@bob:example.org'),
        fc.constant('https://matrix.to/#/%E0%A4%A'),
        fc.string(),
        scraps,
      ),
      text: fc.oneof(fc.string(), scraps),
    }),
    { maxLength: 3 },
  );

  test('3,000 lines', () => {
    fc.assert(
      fc.property(line, links, (text, pills) => {
        try {
          const result = read(text, pills);
          if (result) expect(JSON.stringify(result)).toBeTypeOf('string');
        } catch (error) {
          expect(error).toBeInstanceOf(OpsError);
          expect((error as OpsError).kind).toBe('invalid');
        }
      }),
      { numRuns: 3000 },
    );
  });

  test('60 KB of anything in a moment', () => {
    for (const piece of ['"', '“”', '--', '-', 'a', ' a', '--a ', 'opsroom', '@', '\u200b', '--limit ', '!', '"a" ']) {
      for (const start of ['!remove ', '!', 'opsroom: ']) {
        const before = performance.now();
        try {
          read(start + piece.repeat(60_000 / piece.length));
        } catch (error) {
          expect(error).toBeInstanceOf(OpsError);
        }
        expect(performance.now() - before, start + piece).toBeLessThan(3000);
      }
    }
  });
});

describe('users', () => {
  test.each([
    ['mallory', mallory],
    ['@mallory', mallory],
    ['Mallory', mallory],
    [mallory, mallory],
    ['mallory:example.org', mallory],
    ['@mallory:elsewhere.org:8448', '@mallory:elsewhere.org:8448'],
    ['https://matrix.to/#/@mallory:example.org', mallory],
    ['https://matrix.to/#/%40mallory%3Aexample.org?via=example.org', mallory],
    ['matrix:u/mallory:example.org', mallory],
    ['matrix:u/mallory:example.org?action=chat', mallory],
  ])('%s', (text, user) => expect(resolveUser(text, 'example.org')).toBe(user));

  test.each([
    '',
    '@',
    'mal lory',
    '@@mallory',
    'mallory@example.org',
    ':example.org',
    'https://matrix.to/#/!room:example.org',
    'málory',
    'mаllory',
    '@mallory:exаmple.org',
  ])('%j is refused', (text) =>
    expect(() => resolveUser(text, 'example.org')).toThrow(expect.objectContaining({ kind: 'invalid' })),
  );

  test('a bare name while the own server is not known: refused, not guessed', () => {
    expect(() => resolveUser('mallory', undefined)).toThrow(expect.objectContaining({ kind: 'unavailable' }));
    expect(resolveUser(mallory, undefined)).toBe(mallory);
  });

  test('links that lead to something else are none of a user', () => {
    for (const href of [
      'https://matrix.to/#/%E0%A4%A',
      'https://evil.org/#/@bob:example.org',
      'https://matrix.to/#/#ops:example.org',
      'matrix:r/ops:example.org',
      'javascript:alert(1)',
      '',
    ]) {
      expect(userOfLink(href), href).toBeUndefined();
    }
  });
});

describe('pills', () => {
  const pill = (text: string, user = mallory): Link => ({ href: `https://matrix.to/#/${user}`, text });

  test('mean the id that they lead to, whatever name they show', () => {
    expect(args('!user Mal Lory', [pill('Mal Lory')])).toEqual({ user: mallory });
    expect(refusal('!remove Mal Lory: spam', [pill('Mal Lory')]).message).toContain('is not a Matrix user id');
    expect(args('!remove Bob spam', [pill('Bob')])).toEqual({ user: mallory, reason: 'spam', soft: false });
    expect(args(`!user ${mallory}`, [pill(mallory)])).toEqual({ user: mallory });
    expect(args('!remove Mal spam like Bob', [pill('Mal'), pill('Bob', '@bob:example.org')])).toMatchObject({
      user: mallory,
      reason: 'spam like @bob:example.org',
    });
  });

  test.each(['user', 'u', '!user', 'User', 'se', '!'])(
    'a person who is called "%s" does not escape the command',
    (name) => {
      expect(args(`!user ${name}`, [pill(name)])).toEqual({ user: mallory });
    },
  );

  test('a name that holds words, flags or quotes is one person', () => {
    for (const name of ['--soft bob', 'bob spam', '"bob', 'bob" --soft', '@bob', 'mallory mallory', '$&', '$1']) {
      expect(args(`!remove ${name} spam`, [pill(name)]), name).toEqual({ user: mallory, reason: 'spam', soft: false });
    }
  });

  test('a text that claims another id than the link: refused', () => {
    for (const text of [
      '@bob:example.org',
      '\u200b@bob:example.org',
      ' @bob:example.org',
      '@mallory:example.org.evil',
    ]) {
      expect(refusal(`!user ${text}`, [pill(text)]).message, text).toContain('leads to @mallory:example.org');
    }
  });

  test('a name that does not stand in the text is not taken for an id: refused', () => {
    expect(refusal('!remove bob é spam', [pill('bob &#233;')]).message).toContain(
      "I can't tell where @mallory:example.org stands",
    );
    expect(refusal('!user bob', [pill('')]).kind).toBe('invalid');
    // Clients that put the id or the link into the plain text.
    expect(args(`!user ${mallory}`, [pill('Mal')])).toEqual({ user: mallory });
    expect(args('!user https://matrix.to/#/@mallory:example.org', [pill('Mal')])).toEqual({ user: mallory });
  });

  test('links that a client made of other words change nothing', () => {
    expect(args(`!user ${mallory}`, [{ href: 'http://example.org', text: 'example.org' }])).toEqual({ user: mallory });
  });

  test('what is not for the bot is not refused for its links', () => {
    expect(findCommand('ask @bob:example.org', catalogue, context([pill('@bob:example.org')]))).toEqual({
      kind: 'none',
    });
    expect(findCommand('!xyzzy @bob:example.org', catalogue, context([pill('@bob:example.org')])).kind).toBe('unknown');
  });

  test('the bot is called by its pill, also when its name stands again later', () => {
    const links = [{ href: `https://matrix.to/#/${botUser}`, text: 'Ops Bot' }, pill('Ops Bot')];
    expect(args('Ops Bot: user Ops Bot', links)).toEqual({ user: mallory });
  });
});

describe('the line that finishes it', () => {
  test('reads back as the same arguments', () => {
    const word = fc
      .stringMatching(/^[a-z][a-z0-9 ."']{0,8}$/)
      .filter((text) => text.trim() === text && !(text.includes('"') && text.includes(' ')));
    const cases = fc.oneof(
      fc.record({
        name: fc.constant('remove'),
        args: fc.record({
          user: fc.constant('mallory'),
          reason: fc.constantFrom('spam', 'x --soft', 'said "no', 'a\nb'),
          soft: fc.boolean(),
        }),
      }),
      fc.record({ name: fc.constant('grep'), args: fc.record({ service: word, re: word }) }),
      fc.record({
        name: fc.constant('list'),
        args: fc.record({
          limit: fc.constantFrom('1', '20'),
          idle: fc.constantFrom('2h', '90s'),
          open: fc.boolean(),
          text: fc.constantFrom('a', 'a b'),
        }),
      }),
    );
    fc.assert(
      fc.property(cases, ({ name, args: given }) => {
        const command = catalogue.command(name)!;
        const line = `!${typedLine(name, command, given)}`;
        const parsed = findCommand(line, catalogue, context());
        if (parsed.kind !== 'command') throw new Error(line);
        const again = readArgs(parsed, catalogue, context()).args;
        expect({ open: false, soft: false, ...again }, line).toEqual({ open: false, soft: false, ...given });
      }),
    );
  });
});

describe('what a wrong value is told', () => {
  const told = (line: string): string => {
    const { message, hint } = refusal(line);
    return `${message} | ${hint}`;
  };
  test('what was given, what is allowed, what was perhaps meant, and an example', () => {
    expect(told('!user role mallory oner')).toMatch(
      /^role cannot be "oner": it takes viewer, operator, admin or owner\. Did you mean owner\? \| Usage: !user role @user <role>/,
    );
    expect(told('!list --limit 1e3')).toContain('--limit cannot be "1e3": it takes a whole number from 1 to 10,000.');
    expect(told('!list --idle soon')).toContain('--idle: "soon" is not a duration. Write 90s, 5m, 2h, 1h30m or 30d.');
  });
});
