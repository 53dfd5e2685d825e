import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { UserId } from '#domain/accounts.ts';
import { audienceOf, defaultEscalation, dueAfter, firstDue, stepOf } from '#domain/escalation.ts';
import type { OnDuty } from '#domain/incident-desk.ts';
import type { Person, Role } from '#domain/operators.ts';

const id = (name: string): UserId => `@${name}:example.org` as UserId;
const person = (name: string, role: Role): Person => ({
  user: id(name),
  role,
  fixed: true,
  aka: [],
  shell: undefined,
  addedBy: undefined,
  addedAt: undefined,
});
const duty = (layer: string, user: string, next?: string): OnDuty => ({
  layer,
  user: id(user),
  until: 0,
  next: next === undefined ? undefined : id(next),
});
const people = [person('owner', 'owner'), person('bob', 'operator'), person('vera', 'viewer')];
const minute = 60_000;

describe('who is called', () => {
  it.each([
    ['on-call', [duty('primary', 'alice', 'bob')], ['alice']],
    ['next', [duty('primary', 'alice', 'bob')], ['bob']],
    ['next', [duty('primary', 'alice', 'bob'), duty('second', 'carol')], ['carol']],
    ['next', [duty('primary', 'alice', 'bob'), duty('second', 'alice')], ['bob']],
    ['next', [duty('primary', 'alice')], ['alice', 'owner', 'bob']],
    ['everyone', [duty('primary', 'alice', 'bob')], ['alice', 'owner', 'bob']],
    ['on-call', [], ['owner']],
    ['everyone', [], ['owner']],
  ] as const)('%s with %j', (notify, on, expected) => {
    expect(audienceOf(notify, on, people)).toEqual(expected.map(id));
  });

  it('without rota and owner: whoever has a role', () => {
    expect(audienceOf('on-call', [], [person('bob', 'operator')])).toEqual([id('bob')]);
  });
});

describe('when', () => {
  it('0, 5 and 15 minutes, then every 15', () => {
    const due = [firstDue(defaultEscalation, 0)];
    for (let level = 0; level < 5; level += 1)
      due.push(dueAfter(defaultEscalation, level, due[level] ?? 0, due[level] ?? 0));
    expect(due.map((ms) => ms / minute)).toEqual([0, 5, 15, 30, 45, 60]);
    expect(stepOf(defaultEscalation, 7).notify).toBe('everyone');
  });

  it('a second of delay does not add up; what was missed while down is not made up for in a burst', () => {
    expect(dueAfter(defaultEscalation, 0, 0, 900)).toBe(5 * minute);
    expect(dueAfter(defaultEscalation, 0, 0, 60 * minute)).toBe(65 * minute);
  });

  it('is always later', () => {
    const steps = fc
      .uniqueArray(fc.integer({ min: 0, max: 1e7 }), { minLength: 1, maxLength: 6 })
      .map((list) => list.toSorted((a, b) => a - b).map((afterMs) => ({ afterMs, notify: 'everyone' as const })));
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 1e7 }), fc.nat(10), fc.nat(1e6), (list, repeatMs, level, late) => {
        const due = dueAfter({ steps: list, repeatMs }, level, 1e6, 1e6 + late);
        expect(due).toBeGreaterThan(1e6);
        if (late > 10_000) expect(due).toBeGreaterThan(1e6 + late);
      }),
    );
  });
});
