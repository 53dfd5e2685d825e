import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  advance,
  endedRunStates,
  hasEnded,
  locksOf,
  openRunStates,
  outcomeOf,
  parseRunName,
  type Run,
  runName,
  type RunState,
} from '#domain/runs.ts';
import { idOf } from '#test/fakes/house.ts';

const states: RunState[] = ['taken', ...openRunStates, ...endedRunStates];
const run = (state: RunState): Run => ({ id: 7, rev: 3, state, actor: idOf('alice') }) as Run;
const allowed = (from: RunState, to: RunState): boolean => {
  try {
    return advance(run(from), to).state === to;
  } catch {
    return false;
  }
};

describe('the life of a run', () => {
  test('ledger.md: only these steps', () => {
    const steps = states.flatMap((from) => states.filter((to) => allowed(from, to)).map((to) => `${from} -> ${to}`));
    expect(steps).toEqual(
      [
        ...['asking', 'waiting', 'running', 'refused', 'cancelled'].map((to) => `taken -> ${to}`),
        ...['waiting', 'refused', 'expired', 'cancelled'].map((to) => `asking -> ${to}`),
        // What goes on after a crash and gets no yes is interrupted as before.
        ...['running', 'refused', 'denied', 'expired', 'cancelled', 'conflict', 'interrupted'].map(
          (to) => `waiting -> ${to}`,
        ),
        ...['stopping', 'done', 'partial', 'failed', 'interrupted'].map((to) => `running -> ${to}`),
        ...['done', 'partial', 'failed', 'cancelled', 'interrupted'].map((to) => `stopping -> ${to}`),
        ...['waiting', 'partial'].map((to) => `interrupted -> ${to}`),
      ].toSorted(
        (a, b) =>
          states.indexOf(a.split(' ')[0] as RunState) - states.indexOf(b.split(' ')[0] as RunState) ||
          states.indexOf(a.split(' ')[2] as RunState) - states.indexOf(b.split(' ')[2] as RunState),
      ),
    );
  });

  test('nothing begins without having waited or been taken, and what has ended stays so', () => {
    for (const from of endedRunStates)
      for (const to of states) if (from !== 'interrupted') expect(allowed(from, to)).toBe(false);
    expect(states.filter((from) => allowed(from, 'running'))).toEqual(['taken', 'waiting']);
  });

  test('each step is one revision on and keeps what it is not told to change', () => {
    expect(advance(run('waiting'), 'running', { begunAt: 5 })).toEqual({ ...run('running'), rev: 4, begunAt: 5 });
    expect(() => advance(run('done'), 'running')).toThrow("Run r7 is done, so it can't become running.");
  });

  test('each state has one outcome for programs', () => {
    expect(Object.fromEntries(states.map((state) => [state, outcomeOf(state)]))).toEqual({
      taken: 'waiting',
      asking: 'waiting',
      waiting: 'waiting',
      running: 'waiting',
      stopping: 'waiting',
      done: 'done',
      partial: 'partial',
      failed: 'failed',
      refused: 'refused',
      denied: 'refused',
      expired: 'refused',
      cancelled: 'refused',
      conflict: 'refused',
      interrupted: 'partial',
    });
    expect(states.filter((state) => hasEnded(run(state)))).toEqual([...endedRunStates]);
  });
});

test('names of runs', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 999_999_999 }), (id) => {
      expect(parseRunName(runName(id))).toBe(id);
    }),
  );
  expect(parseRunName('R12')).toBe(12);
  for (const text of ['', 'r', 'rr1', 'r-1', '1.5', 'r1 ', 'a17', '1e3', 'r1234567890123'])
    expect(() => parseRunName(text), text).toThrow(expect.objectContaining({ kind: 'invalid' }));
});

test('locks follow from what is touched', () => {
  expect(locksOf({})).toEqual([]);
  expect(locksOf({ users: [{ user: idOf('bob'), admin: true }], rooms: ['!a' as never], things: ['backup'] })).toEqual([
    'user:@bob:example.org',
    'room:!a',
    'backup',
  ]);
});
