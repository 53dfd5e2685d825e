import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Proof, RoomFacts } from '#domain/inbox.ts';
import type { Person } from '#domain/operators.ts';
import { bindingOf, codeFor, judgeVote, mustType, type Prompt } from '#domain/prompts.ts';
import type { Run } from '#domain/runs.ts';
import type { RoleRules } from '#domain/standing.ts';
import { idOf, opsRoom, person, team } from '#test/fakes/house.ts';

const people = [...team, person('dora', 'admin', ['dora-work'])];
const names = ['alice', 'alice-admin', 'bob', 'carol', 'vera', 'dora', 'dora-work', 'mallory'];
const run = (actor: string, target: string): Run =>
  ({
    id: 1,
    actor: idOf(actor),
    command: 'remove',
    planHash: '7f3a',
    touches: { users: [{ user: idOf(target) }] },
  }) as Run;
const promptOf = (about: Run, set: Partial<Prompt> = {}): Prompt => {
  const expiresAt = set.expiresAt ?? 1000;
  return {
    id: 1,
    rev: 1,
    run: 1,
    code: bindingOf(about, expiresAt).slice(0, 4),
    planHash: '7f3a',
    need: 'two-person',
    role: 'admin',
    message: 1,
    asked: 1,
    remindAt: undefined,
    expiresAt,
    atEnd: 'expire',
    answeredBy: undefined,
    state: 'open',
    ...set,
  };
};
const facts = (joined: string[], set: Partial<RoomFacts> = {}): RoomFacts => ({
  room: opsRoom,
  joined: joined.map(idOf),
  encrypted: false,
  joinRule: 'invite',
  version: '12',
  ...set,
});
type How = {
  run?: Run;
  prompt?: Partial<Prompt>;
  verdict?: 'approve' | 'deny';
  proof?: Proof;
  undo?: 'fully' | 'partly' | 'none';
  joined?: string[];
  room?: Partial<RoomFacts>;
  rules?: RoleRules;
  now?: number;
  people?: Person[];
};
const judge = (voter: string, how: How = {}) => {
  const about = how.run ?? run('carol', 'mallory');
  return judgeVote({
    prompt: promptOf(about, how.prompt),
    run: about,
    voter: idOf(voter),
    verdict: how.verdict ?? 'approve',
    proof: how.proof ?? 'clear',
    undo: how.undo ?? 'fully',
    standings: {
      people: how.people ?? people,
      facts: facts(how.joined ?? names, how.room),
      rules: how.rules ?? {},
      now: how.now ?? 999,
    },
  });
};
const no = (why: string) => ({ counts: false, why: expect.stringContaining(why) as string });
const granted = { counts: true, state: 'granted' };

describe('a vote', () => {
  test('counts until its end, not at it', () => {
    expect(judge('bob', { now: 999 })).toEqual(granted);
    expect(judge('bob', { now: 1000 })).toEqual(no('has expired'));
  });

  test.each(['granted', 'denied', 'expired', 'cancelled'] as const)(
    'on a question that is %s does not count',
    (state) => {
      expect(judge('bob', { prompt: { state } })).toEqual({
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
          const there = joined ? names : names.filter((name) => name !== voter);
          const result = judge(voter, { run: run(caller, target), verdict, joined: there });
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
    const own = { need: 'caller', role: 'operator' } as const;
    const of = (caller: string, voter: string) => judge(voter, { prompt: own, run: run(caller, 'mallory') }).counts;
    expect(of('carol', 'carol')).toBe(true);
    expect(of('alice', 'alice-admin')).toBe(true);
    expect(of('carol', 'alice')).toBe(false);
    expect(of('vera', 'vera')).toBe(false);
    expect(of('mallory', 'mallory')).toBe(false);
  });

  test('at the shell nobody has to be in the room', () => {
    expect(judge('bob', { joined: [], proof: 'shell' })).toEqual(granted);
    expect(judge('bob', { joined: [] })).toEqual(no('Only somebody who is in the ops room'));
    expect(judge('vera', { joined: [], proof: 'shell' })).toEqual(no('needs the role admin'));
  });

  test('the role counts as far as the power level reaches, now', () => {
    const rules: RoleRules = { operator: { powerLevel: 50, grants: [] } };
    const room = (level: number) => ({
      creators: [idOf('alice')],
      power: { users: { [idOf('bob')]: level }, usersDefault: 0 },
    });
    expect(judge('bob', { rules, room: room(50) })).toEqual(granted);
    expect(judge('bob', { rules, room: room(49) })).toEqual(
      no('counts only from power level 50 in this room; yours is 49'),
    );
    expect(judge('alice', { rules, room: room(0) })).toEqual(granted);
    expect(judge('bob', { rules })).toEqual(no('not known yet'));
    expect(judge('bob', { rules, room: room(0), proof: 'shell' })).toEqual(granted);
  });
});

describe('10: in an encrypted room', () => {
  const room = { encrypted: true };
  const own = { need: 'caller', role: 'operator' } as const;
  test.each<[string, How, boolean]>([
    ['a second person’s ✅', { proof: 'reaction' }, false],
    ['a second person’s typed yes', { proof: 'signed-device' }, true],
    ['a second person’s ❌', { proof: 'reaction', verdict: 'deny' }, true],
    ['a yes typed in the clear', { proof: 'clear' }, false],
    ['a no typed in the clear', { proof: 'clear', verdict: 'deny' }, false],
    ['a yes from an unverified device', { proof: 'unsigned-device' }, false],
    ['a yes at the shell', { proof: 'shell' }, true],
  ])('%s: counts %s', (_, how, counts) => expect(judge('bob', { room, ...how }).counts).toBe(counts));

  test.each([
    ['fully', true],
    ['partly', true],
    ['none', false],
  ] as const)('the caller’s own ✅ for what can be undone %s: counts %s', (undo, counts) => {
    expect(judge('carol', { room, prompt: own, proof: 'reaction', undo }).counts).toBe(counts);
    expect(judge('carol', { room, prompt: own, proof: 'signed-device', undo }).counts).toBe(true);
    expect(judge('carol', { prompt: own, proof: 'reaction', undo }).counts).toBe(true);
    expect(mustType(room, 'caller', undo)).toBe(!counts);
    expect(mustType({ encrypted: false }, 'two-person', undo)).toBe(false);
  });

  test('what to type instead is said', () => {
    const about = run('carol', 'mallory');
    expect(judge('bob', { room, run: about, proof: 'reaction' })).toEqual(no(`!approve ${promptOf(about).code}`));
  });

  test('an unverified device answers nothing in a clear room either', () => {
    expect(judge('bob', { proof: 'unsigned-device' })).toEqual(no('not verified'));
  });
});

describe('A8: a code is bound', () => {
  const about = run('carol', 'mallory');
  const code = promptOf(about).code;
  test.each<[string, Partial<Run>, Partial<Prompt>]>([
    ['the requester', { actor: idOf('bob') }, {}],
    ['the plan', { planHash: 'beef' }, { planHash: 'beef' }],
    ['the plan of the question', { planHash: 'beef' }, {}],
    ['the plan that was asked about', {}, { planHash: 'beef' }],
    ['the command', { command: 'deactivate' }, {}],
    ['the target', { touches: { users: [{ user: idOf('judy') }] } }, {}],
    ['a further target', { touches: { users: [{ user: idOf('mallory') }, { user: idOf('judy') }] } }, {}],
    ['a room', { touches: { ...about.touches, rooms: [opsRoom] } }, {}],
    ['the run', { id: 2 }, {}],
    ['its end', {}, { expiresAt: 5000 }],
  ])('to %s', (_, changed, prompt) => {
    const moved = { ...about, ...changed };
    // Four digits agree by chance once in 65,536.
    expect(judge('alice', { run: moved, prompt: { ...prompt, code } })).toEqual(no('was given for something else'));
    expect(judge('alice', { run: about, prompt: { code } })).toEqual(granted);
  });
});

describe('two who count as one', () => {
  const dayMs = 24 * 3_600_000;
  const added = (name: string, by: string, set: Partial<Person> = {}): Person => ({
    ...person(name, 'admin'),
    fixed: false,
    addedBy: idOf(by),
    addedAt: 0,
    ...set,
  });
  const owners = [person('alice', 'owner', ['alice-admin']), person('olga', 'owner')];
  const at = (caller: string, voter: string, more: Person[], set: How = {}) =>
    judge(voter, {
      run: run(caller, 'mallory'),
      people: [...owners, ...more],
      joined: [...names, 'olga', 'puppet', 'doll'],
      ...set,
    });
  const one = no('count as one');

  test('an owner adds a puppet as the second of two, or as the first', () => {
    const more = [added('puppet', 'alice')];
    expect(at('alice', 'puppet', more)).toEqual(one);
    expect(at('puppet', 'alice', more)).toEqual(one);
    expect(at('puppet', 'alice-admin', more)).toEqual(one);
    // Others are others.
    expect(at('puppet', 'olga', more)).toEqual(granted);
    expect(at('olga', 'puppet', more)).toEqual(granted);
  });
  test('two puppets, and a puppet’s puppet, are one too', () => {
    expect(at('puppet', 'doll', [added('puppet', 'alice'), added('doll', 'alice-admin')])).toEqual(one);
    expect(at('alice', 'doll', [added('puppet', 'alice'), added('doll', 'puppet')])).toEqual(one);
    expect(at('doll', 'puppet', [added('puppet', 'doll'), added('doll', 'puppet')])).toEqual(one);
  });
  test('until another human confirms them', () => {
    expect(at('alice', 'puppet', [added('puppet', 'alice', { confirmedBy: idOf('olga') })])).toEqual(granted);
    expect(at('alice', 'puppet', [added('puppet', 'alice', { confirmedBy: idOf('alice-admin') })])).toEqual(one);
  });
  test('or a day has passed', () => {
    const more = [added('puppet', 'alice')];
    const late = { prompt: { expiresAt: 2 * dayMs } };
    expect(at('alice', 'puppet', more, { ...late, now: dayMs - 1 })).toEqual(one);
    expect(at('alice', 'puppet', more, { ...late, now: dayMs })).toEqual(granted);
  });
  test('a puppet of the target does not approve what is done to them', () => {
    const more = [added('puppet', 'alice')];
    expect(at('olga', 'puppet', more, { run: run('olga', 'alice') })).toEqual(no('Whoever is the target'));
  });
  test('a puppet cannot take back what their maker asked as if they were them', () => {
    const more = [added('puppet', 'alice')];
    expect(at('alice', 'puppet', more, { verdict: 'deny' })).toEqual(one);
    expect(at('alice', 'alice-admin', more, { verdict: 'deny' })).toEqual({ counts: true, state: 'denied' });
  });
});

describe('who waits alone', () => {
  const alone = { atEnd: 'proceed' } as const;
  test('anybody in the room may say no, also without a role; nobody becomes a yes by it', () => {
    for (const name of ['vera', 'mallory', 'carol', 'bob'])
      expect(judge(name, { prompt: alone, verdict: 'deny', proof: 'reaction' }), name).toEqual({
        counts: true,
        state: 'denied',
      });
    expect(judge('mallory', { prompt: alone, verdict: 'deny', joined: ['bob'] }).counts).toBe(false);
    expect(judge('mallory', { prompt: alone })).toEqual(no('needs the role admin'));
    expect(judge('carol', { prompt: { ...alone, role: 'operator' } })).toEqual(no('needs a second person'));
    expect(judge('bob', { prompt: alone })).toEqual(granted);
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
