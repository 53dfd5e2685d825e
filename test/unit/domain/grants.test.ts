import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { grantLacks, parseGrant } from '#domain/grants.ts';
import { OpsError } from '#domain/errors.ts';
import type { Touches } from '#domain/runs.ts';
import { idOf, team } from '#test/fakes/house.ts';

describe('a grant', () => {
  test.each([
    ['export', { command: 'export', unless: [] }],
    ['!export', { command: 'export', unless: [] }],
    ['  export unless target-admin ', { command: 'export', unless: ['target-admin'] }],
    ['room block unless several-targets', { command: 'room block', unless: ['several-targets'] }],
    [
      'room make-admin unless target-admin or target-app-service or target-admin',
      { command: 'room make-admin', unless: ['target-admin', 'target-app-service'] },
    ],
  ])('%s', (text, grant) => expect(parseGrant(text)).toEqual(grant));

  test.each([
    ['', 'is not a grant'],
    ['unless target-admin', 'is not a grant'],
    ['Export', 'is not a grant'],
    ['export @mallory', 'is not a grant'],
    ['a b c d', 'is not a grant'],
    ['export or lock', 'is not a grant'],
    ['export unless', 'is not a grant'],
    ['export unless ', 'is not a grant'],
    ['export unless unless target-admin', '"unless target-admin" is not a condition'],
    ['export unless admin', '"admin" is not a condition'],
    ['export unless toString', '"toString" is not a condition'],
    ['export unless target-admin, target-person', '"target-admin, target-person" is not a condition'],
    ['export unless target-admin or', '"target-admin or" is not a condition'],
    ['export unless target-admin or  or target-person', 'A condition is missing'],
  ])('"%s" is refused with what would be right', (text, why) => {
    expect(() => parseGrant(text)).toThrow(why);
    try {
      parseGrant(text);
    } catch (error) {
      expect((error as OpsError).kind).toBe('invalid');
      expect((error as OpsError).hint).toContain('target-admin, target-person, target-app-service, several-targets');
    }
  });

  test('of any text is a grant or refused', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^(export|unless|or|target-admin| ){1,8}$/)), (text) => {
        try {
          expect(parseGrant(text).command).toMatch(/^[a-z]/);
        } catch (error) {
          expect(error).toBeInstanceOf(OpsError);
        }
      }),
    );
  });
});

describe('when it holds', () => {
  const user = (name: string, set = {}): Touches => ({ users: [{ user: idOf(name), ...set }] });
  const lacks = (text: string, touches: Touches | undefined) => grantLacks([parseGrant(text)], touches, team);
  test.each<[string, Touches, boolean]>([
    ['export', user('bob', { admin: true }), true],
    ['export unless target-admin', user('mallory'), true],
    ['export unless target-admin', user('mallory', { admin: true }), false],
    ['export unless target-admin', user('bob'), false],
    ['export unless target-admin', user('alice-admin'), false],
    ['export unless target-admin', user('carol'), true],
    ['export unless target-person', user('vera'), false],
    ['export unless target-person', user('alice-admin'), false],
    ['export unless target-person', user('mallory', { admin: true }), true],
    ['export unless target-app-service', user('x', { appService: true }), false],
    ['export unless target-app-service', user('x'), true],
    ['export unless several-targets', user('x'), true],
    ['export unless several-targets', { users: [{ user: idOf('x') }, { user: idOf('y') }] }, false],
    ['export unless several-targets', { rooms: ['!a' as never, '!b' as never] }, false],
    ['export unless several-targets', { ...user('x'), rooms: ['!b' as never] }, false],
    ['export unless several-targets', {}, true],
    ['export unless target-admin', { users: [{ user: idOf('x') }, { user: idOf('y'), admin: true }] }, false],
  ])('%s on %j: %s', (text, touches, allowed) => expect(lacks(text, touches) === undefined).toBe(allowed));

  test('before it is known what is touched it does; and why it does not is said', () => {
    expect(lacks('export unless target-admin', undefined)).toBeUndefined();
    expect(lacks('export unless target-admin', user('bob'))).toBe(
      'a server admin, or somebody with the role admin or owner',
    );
  });

  test('one of several is enough', () => {
    const grants = ['export unless target-person', 'export unless target-admin'].map(parseGrant);
    expect(grantLacks(grants, user('carol'), team)).toBeUndefined();
    expect(grantLacks(grants, user('bob'), team)).toBe('somebody with a role');
  });
});
