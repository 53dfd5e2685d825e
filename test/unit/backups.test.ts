import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { backupIdOf, bytesNeeded, compareRows, isBackupId, pickSet, sequenceOf } from '#domain/backups.ts';

const newest = backupIdOf(Date.parse('2026-08-01T02:00:00Z'), 231);
const older = backupIdOf(Date.parse('2026-09-01T02:00:00.500Z'), 230);
const sets = [{ id: newest }, { id: older }];

describe('the id of a backup', () => {
  test('is time for people and sequence for ordering', () => {
    expect(newest).toBe('20260801T020000Z-000231');
    expect(older).toBe('20260901T020000Z-000230');
    expect(sequenceOf(newest)).toBe(231);
  });

  test('comes back from any time and sequence', () => {
    const property = fc.property(
      fc.integer({ min: 0, max: 4e12 }),
      fc.integer({ min: 1, max: 9_999_999 }),
      (at, sequence) => {
        const id = backupIdOf(at, sequence);
        return isBackupId(id) && sequenceOf(id) === sequence;
      },
    );
    fc.assert(property);
  });

  test.each([
    '.partial-20260801T020000Z-000231.1-2-abcdef01',
    '20260801T020000Z-000231.bak',
    'latest',
    '../20260801T020000Z-000231',
  ])('is not %s', (name) => expect(isBackupId(name)).toBe(false));
});

describe('what a person means', () => {
  test.each([
    ['latest', newest],
    [' Latest ', newest],
    ['230', older],
    ['000230', older],
    ['20260901t020000z-000230', older],
  ])('%s', (text, id) => expect(pickSet(sets, text)?.id).toBe(id));

  test('may be a set that is not there', () => {
    expect(pickSet(sets, '7')).toBeUndefined();
    expect(pickSet(sets, '20260801T020000Z-000007')).toBeUndefined();
    expect(pickSet([], 'latest')).toBeUndefined();
  });

  test.each(['', '..', '/etc/passwd', 'yesterday', '2026-08-01'])('"%s" is refused with what to write', (text) => {
    expect(() => pickSet(sets, text)).toThrow(
      expect.objectContaining({ kind: 'invalid', hint: expect.stringContaining('!backup list') }),
    );
  });
});

describe('the room that a backup needs', () => {
  test.each([
    [{ lastSetBytes: 1000, floorBytes: 100 }, 1200],
    [{ lastSetBytes: 50, databaseBytes: 9_999_999, floorBytes: 100 }, 100],
    [{ databaseBytes: 3000, floorBytes: 100 }, 1000],
    [{ floorBytes: 100 }, 100],
  ])('%o: %i bytes', (known, bytes) => expect(bytesNeeded(known)).toBe(bytes));
});

describe('the counts of a restored copy', () => {
  const counts = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd', 'e'), fc.integer({ min: 0, max: 3 }));

  test('have no problem exactly when they are the same', () => {
    const property = fc.property(counts, counts, (expected, found) => {
      const same = Object.keys({ ...expected, ...found }).every((name) => expected[name] === found[name]);
      return (compareRows(expected, found).length === 0) === same;
    });
    fc.assert(property);
  });

  test('are told table by table', () => {
    expect(compareRows({ a: 1, b: 2, c: 3 }, { a: 1, b: 1, d: 0 })).toEqual([
      'table b has 1 rows in the restored copy, 2 in the manifest',
      'table c is missing from the restored copy (3 rows expected)',
      'table d is in the restored copy and not in the manifest',
    ]);
  });
});
