import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { codeFor, judgeVote, type Prompt } from '#domain/prompts.ts';
import type { Run } from '#domain/runs.ts';
import { idOf, person, team } from '#test/fakes/house.ts';

const people = [...team, person('dora', 'admin', ['dora-work'])];
const names = ['alice', 'alice-admin', 'bob', 'carol', 'vera', 'dora', 'dora-work', 'mallory'];
const prompt = (set: Partial<Prompt> = {}): Prompt => ({
  id: 1,
  rev: 1,
  run: 1,
  code: '7f3a',
  planHash: '7f3a',
  need: 'two-person',
  role: 'admin',
  message: 1,
  asked: 1,
  remindAt: undefined,
  expiresAt: 1000,
  state: 'open',
  ...set,
});
const run = (actor: string, target: string): Run =>
  ({ actor: idOf(actor), touches: { users: [{ user: idOf(target) }] } }) as Run;
const judge = (voter: string, set: Partial<Parameters<typeof judgeVote>[0]> = {}) =>
  judgeVote({
    prompt: prompt(),
    run: run('carol', 'mallory'),
    voter: idOf(voter),
    verdict: 'approve',
    people,
    joined: true,
    now: 999,
    ...set,
  });

describe('a vote', () => {
  test('counts until its end, not at it', () => {
    expect(judge('bob', { now: 999 })).toEqual({ counts: true, state: 'granted' });
    expect(judge('bob', { now: 1000 }).counts).toBe(false);
  });

  test.each(['granted', 'denied', 'expired', 'cancelled'] as const)(
    'on a question that is %s does not count',
    (state) => {
      expect(judge('bob', { prompt: prompt({ state }) })).toEqual({
        counts: false,
        why: `That question is closed (${state}).`,
      });
    },
  );

  test('for every caller, voter and target: a yes of two people is of two humans who are neither the target', () => {
    const human = (name: string): string => name.replace(/-.*/, '');
    fc.assert(
      fc.property(
        fc.constantFrom(...names),
        fc.constantFrom(...names),
        fc.constantFrom(...names),
        fc.constantFrom('approve' as const, 'deny' as const),
        fc.boolean(),
        (caller, voter, target, verdict, joined) => {
          const result = judge(voter, { run: run(caller, target), verdict, joined });
          const able =
            ['alice', 'bob', 'dora'].includes(human(voter)) &&
            joined &&
            human(voter) !== human(caller) &&
            human(voter) !== human(target);
          const takesBack = verdict === 'deny' && joined && human(voter) === human(caller);
          expect(result.counts).toBe(able || takesBack);
          if (result.counts) expect(result.state).toBe(verdict === 'approve' ? 'granted' : 'denied');
        },
      ),
      { numRuns: 2000 },
    );
  });

  test('of the caller alone: only theirs, by either account, and only while they have the role', () => {
    const own = prompt({ need: 'caller', role: 'operator' });
    const of = (caller: string, voter: string) => judge(voter, { prompt: own, run: run(caller, 'mallory') }).counts;
    expect(of('carol', 'carol')).toBe(true);
    expect(of('alice', 'alice-admin')).toBe(true);
    expect(of('carol', 'alice')).toBe(false);
    expect(of('vera', 'vera')).toBe(false);
    expect(of('mallory', 'mallory')).toBe(false);
  });
});

describe('a code', () => {
  test('is the shortest prefix of the hash that no open question has, four digits at least', () => {
    const hash = 'abcdef0123456789'.repeat(4);
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 4, max: 63 })), (lengths) => {
        const taken = new Set(lengths.map((length) => hash.slice(0, length)));
        const code = codeFor(hash, (candidate) => taken.has(candidate));
        expect(hash.startsWith(code)).toBe(true);
        expect(code.length).toBeGreaterThanOrEqual(4);
        expect(taken.has(code)).toBe(false);
        for (let shorter = 4; shorter < code.length; shorter += 1) expect(taken.has(hash.slice(0, shorter))).toBe(true);
      }),
    );
  });
});
