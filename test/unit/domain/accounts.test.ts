import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { localpartOf, parseUserId, serverOf, type UserId } from '#domain/accounts.ts';
import { callIdentity, callRoomName, isHashedIdentity, isIdentityOf } from '#domain/calls.ts';
import { sameHuman } from '#domain/operators.ts';
import { isRoomAlias, parseRoomId, type RoomId } from '#domain/rooms.ts';
import { idOf, person } from '#test/fakes/house.ts';

describe('user ids', () => {
  test.each([
    ['@alice:example.org', 'alice', 'example.org'],
    ['@a.b_c=d-e/f+g:example.org:8448', 'a.b_c=d-e/f+g', 'example.org:8448'],
    ['@UPPER!historic#:[2001:db8::1]:8448', 'UPPER!historic#', '[2001:db8::1]:8448'],
  ])('%s', (text, localpart, server) => {
    const user = parseUserId(text);
    expect([localpartOf(user), serverOf(user)]).toEqual([localpart, server]);
  });

  test.each([
    '',
    '@',
    'alice',
    '@alice',
    'alice:example.org',
    '@:example.org',
    '@alice:',
    '@al ice:example.org',
    '@alice:exam ple.org',
    '@älice:example.org',
    '@alice:example.org\n',
    '@alice:exämple.org',
    '@alice:example.org/x',
    '@alice:example.org:',
    '@alice:example.org:x',
    '@alice::',
    '@alice:[',
    '#alice:example.org',
    '@a\u200blice:example.org',
    `@${'a'.repeat(250)}:e.org`,
  ])('"%s" is none', (text) => expect(() => parseUserId(text)).toThrow(expect.objectContaining({ kind: 'invalid' })));

  test('whatever is taken for one is printable ASCII of 255 bytes at most, with one @ before and a colon inside', () => {
    const near = fc.string({
      unit: fc.constantFrom('@', ':', 'a', 'Z', '9', '.', '-', ' ', 'é', '\n', '[', ']', '\u202e', '/'),
      maxLength: 20,
    });
    fc.assert(
      fc.property(near, (text) => {
        let parsed: string | undefined;
        try {
          parsed = parseUserId(text);
        } catch {
          return;
        }
        expect(parsed).toMatch(/^@[!-9;-~]+:[A-Za-z0-9.[\]:-]+$/);
        expect(parsed).not.toMatch(/:$/);
        expect(`@${localpartOf(parsed as never)}:${serverOf(parsed as never)}`).toBe(text);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('rooms', () => {
  test('ids with and without a server part; aliases', () => {
    expect(parseRoomId('!abc')).toBe('!abc');
    expect(parseRoomId('!abc:example.org')).toBe('!abc:example.org');
    for (const text of ['abc', '!', '!a b', '#a:b', '', `!${'a'.repeat(255)}`])
      expect(() => parseRoomId(text), text).toThrow(expect.objectContaining({ kind: 'invalid' }));
    expect(['#ops:example.org', '#ops', '!ops:example.org', '#a b:c', '#:c'].map(isRoomAlias)).toEqual([
      true,
      false,
      false,
      false,
      false,
    ]);
  });
});

describe('identities in calls', () => {
  const bob = idOf('bob');
  test('belong to the user whose whole id they begin with', () => {
    expect(isIdentityOf('@bob:example.org:DEVICE', bob)).toBe(true);
    expect(isIdentityOf('@bob:example.org:8448:DEVICE', idOf('@bob:example.org:8448'))).toBe(true);
    for (const other of [
      '@bob:example.org',
      '@bobby:example.org:D',
      '@bob:example.organic:D',
      'x@bob:example.org:D',
      '@Bob:example.org:D',
    ]) {
      expect(isIdentityOf(other, bob), other).toBe(false);
    }
  });

  test('hashed ones are told apart', () => {
    expect(isHashedIdentity('47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU')).toBe(true);
    expect(isHashedIdentity('@bob:example.org:D')).toBe(false);
  });

  test('a hashed identity is made as lk-jwt-service makes it', () => {
    const alice = '@alice:example.org' as UserId;
    const hash = callIdentity(alice, { device: 'DEVICEID', member: 'mem1' });
    expect(hash).toBe('ePWT64fDDbBzU+d8QtsKJ0Ji3L2cdhSw97Vy7meTeL4');
    expect(isIdentityOf(hash, alice, [hash])).toBe(true);
    expect(isIdentityOf(hash, alice)).toBe(false);
    expect(callRoomName('!abc:example.org' as RoomId)).toBe('9YzbCxM8P0fwObUtiQ9m/ujMP9ruNMxS7SOsugBEaxA');
    expect(callRoomName('!roomid:example.com' as RoomId, 'slot1234')).toBe(
      'O8437W3+jmzMVjoIP3tNwbm+XxHQk2iKpOA7aqw3qSc',
    );
  });

  test('the room of a call has the name that lk-jwt-service gives it', () => {
    expect(callRoomName('!abc:example.org' as RoomId)).toMatch(/^[A-Za-z0-9+/]{43}$/);
    expect(callRoomName('!a&b' as RoomId)).not.toBe(callRoomName('!ab' as RoomId));
    expect(callRoomName('!a' as RoomId, 'm.call#ROOM')).toBe(callRoomName('!a' as RoomId));
  });
});

describe('one human', () => {
  const people = [person('alice', 'owner', ['alice-admin', 'alice-test']), person('bob', 'admin')];
  test.each([
    ['alice', 'alice', true],
    ['alice', 'alice-admin', true],
    ['alice-test', 'alice-admin', true],
    ['alice', 'bob', false],
    ['mallory', 'mallory', true],
    ['mallory', 'alice', false],
    ['@alice:elsewhere.org', 'alice', false],
  ])('%s and %s: %s', (a, b, same) => {
    expect(sameHuman(idOf(a), idOf(b), people)).toBe(same);
    expect(sameHuman(idOf(b), idOf(a), people)).toBe(same);
  });
});
