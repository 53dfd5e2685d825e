import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backupIdOf, type BackupId, type Retention } from '#domain/backups.ts';
import { OpsError } from '#domain/errors.ts';
import { expiredSets, type Keepable } from '#domain/retention.ts';

const dayMs = 86_400_000;
const start = Date.UTC(2026, 7, 1, 2);
const policy: Retention = { keepDays: 30, minKeep: 3 };

const set = (sequence: number, at: number, proof: Keepable['proof'] = 'verified'): Keepable => ({
  id: backupIdOf(at, sequence),
  sequence,
  at,
  proof,
});
/** One a day from `start`, all verified but those named. */
const daily = (count: number, proofs: Record<number, Keepable['proof']> = {}): Keepable[] =>
  Array.from({ length: count }, (_, n) => set(n + 1, start + n * dayMs, proofs[n + 1]));
const lastDay = (count: number): number => start + (count - 1) * dayMs;
const numbers = (ids: BackupId[]): number[] => ids.map((id) => Number(id.split('-')[1]));

describe('what goes', () => {
  it('is older than keepDays, oldest first', () => {
    const { remove, held } = expiredSets(daily(35).toReversed(), policy, lastDay(35));
    expect(numbers(remove)).toEqual([1, 2, 3, 4]);
    expect(held).toBeUndefined();
    expect(expiredSets([], policy, start)).toEqual({ remove: [], held: undefined });
  });

  it('leaves minKeep verified ones, however old; others do not count for that', () => {
    const after = lastDay(10) + 400 * dayMs;
    const sets = [...daily(10, { 8: 'failed', 9: 'none' }), set(11, after)];
    // 11, 10 and 7 stay. The gap is longer than sets are kept, so age is counted from 10: nothing is that old yet.
    expect(expiredSets(sets, policy, after).remove).toEqual([]);
    const next = [...sets, set(12, after + dayMs)];
    expect(numbers(expiredSets(next, policy, after + dayMs).remove)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(numbers(expiredSets(next, { ...policy, minKeep: 5 }, after + dayMs).remove)).toEqual([1, 2, 3, 4, 5, 8, 9]);
  });

  it.each([
    ['failed', 'cannot be relied on'],
    ['none', 'is not verified'],
  ] as const)('is nothing while the newest is %s', (proof, why) => {
    const { remove, held } = expiredSets(daily(60, { 60: proof }), policy, lastDay(60));
    expect(remove).toEqual([]);
    expect(held).toContain(why);
  });

  it('is nothing while the newest is damaged, whatever its file says', () => {
    const damaged: Keepable = { id: backupIdOf(start, 61), sequence: 61, at: undefined, proof: 'failed' };
    expect(expiredSets([damaged, ...daily(60)], policy, lastDay(60)).held).toContain('-000061');
  });

  it('is nothing after one jump of the clock, in either direction', () => {
    for (const jumpMs of [3650 * dayMs, 40 * dayMs, -3650 * dayMs, -40 * dayMs]) {
      const at = lastDay(30) + dayMs + jumpMs;
      expect(expiredSets([...daily(30), set(31, at)], policy, at)).toEqual({ remove: [], held: undefined });
    }
  });

  it('a policy that keeps nothing is refused', () => {
    for (const wrong of [
      {},
      { keepDays: 0 },
      { keepDays: Number.NaN },
      { keepDays: -1 },
      { minKeep: 0 },
      { minKeep: 2 },
    ]) {
      const bad = Object.keys(wrong).length === 0 ? ({} as Retention) : { ...policy, ...wrong };
      expect(() => expiredSets(daily(60), bad, lastDay(60))).toThrow(OpsError);
    }
  });
});

type Day = { proof: Keepable['proof'] | 'damaged'; gapMs: number; keepDays: number; minKeep: number };
const day: fc.Arbitrary<Day> = fc.record({
  proof: fc.constantFrom('verified', 'verified', 'verified', 'verified', 'failed', 'none', 'damaged'),
  // Mostly a day; sometimes the clock jumps by up to ten years.
  gapMs: fc.oneof(
    { weight: 8, arbitrary: fc.constant(dayMs) },
    { weight: 1, arbitrary: fc.integer({ min: -3650, max: 3650 }).map((days) => days * dayMs) },
  ),
  keepDays: fc.integer({ min: 1, max: 60 }),
  minKeep: fc.integer({ min: 3, max: 8 }),
});

it('E6: over 10,000 random histories the floor of verified sets holds after every backup', () => {
  fc.assert(
    fc.property(fc.array(day, { minLength: 1, maxLength: 40 }), (days) => {
      let sets: Keepable[] = [];
      let now = start;
      const broken: string[] = [];
      for (const [index, { proof, gapMs, ...policyOfTheDay }] of days.entries()) {
        now += gapMs;
        const made = set(index + 1, now, proof === 'damaged' ? 'failed' : proof);
        const before = [...sets, proof === 'damaged' ? { ...made, at: undefined } : made];
        const { remove } = expiredSets(before, policyOfTheDay, now);
        const gone = new Set(remove);
        sets = before.filter(({ id }) => !gone.has(id));
        if (before.length - sets.length !== remove.length) broken.push('names what is not there, or twice');
        if (made.proof !== 'verified' && remove.length > 0) broken.push('removes while the newest is not verified');
        const verified = before.filter((one) => one.proof === 'verified').slice(-policyOfTheDay.minKeep);
        if (verified.some((one) => gone.has(one.id))) broken.push('goes below the floor');
        // The next number is counted from the newest.
        if (gone.has(made.id)) broken.push('removes the newest');
      }
      expect(broken).toEqual([]);
    }),
    { numRuns: 10_000 },
  );
});
