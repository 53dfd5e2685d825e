import type { UserId } from './accounts.ts';
import type { EpochMs } from './clock.ts';
import type { OnDuty } from './incident-desk.ts';
import { type Person, roleAtLeast } from './operators.ts';

export type Notify = 'on-call' | 'next' | 'everyone';
export type EscalationStep = { afterMs: number; notify: Notify };
/** Steps in the order of time; after the last one it is repeated until a human acknowledges. */
export type Escalation = { steps: EscalationStep[]; repeatMs: number };

export const defaultEscalation: Escalation = {
  steps: [
    { afterMs: 0, notify: 'on-call' },
    { afterMs: 300_000, notify: 'next' },
    { afterMs: 900_000, notify: 'everyone' },
  ],
  repeatMs: 900_000,
};

// A step this late was missed while the bot was down: what follows it counts from now, so that a restart doesn't ring
// all overdue steps at once.
const overdueMs = 10_000;

/** The step of a level; past the last one, the last one. */
export const stepOf = (escalation: Escalation, level: number): EscalationStep =>
  escalation.steps[Math.min(level, escalation.steps.length - 1)] ?? { afterMs: 0, notify: 'everyone' };

export const firstDue = (escalation: Escalation, now: EpochMs): EpochMs => now + stepOf(escalation, 0).afterMs;

/** When the level after this one is due. Counted from when this one was due, so that delays don't add up. */
export function dueAfter(escalation: Escalation, level: number, dueAt: EpochMs, now: EpochMs): EpochMs {
  const from = now - dueAt > overdueMs ? now : dueAt;
  if (level + 1 >= escalation.steps.length) return from + escalation.repeatMs;
  return from + stepOf(escalation, level + 1).afterMs - stepOf(escalation, level).afterMs;
}

/** Whom a step calls. Never nobody while there is a person with a role. */
export function audienceOf(notify: Notify, duty: readonly OnDuty[], people: readonly Person[]): UserId[] {
  const [first, second] = duty;
  const everyone = [
    ...duty.map((layer) => layer.user),
    ...people.filter((person) => roleAtLeast(person.role, 'operator')).map((person) => person.user),
  ];
  if (first === undefined) {
    const owners = people.filter((person) => person.role === 'owner').map((person) => person.user);
    return owners.length > 0 ? owners : [...new Set(everyone)];
  }
  if (notify === 'on-call') return [first.user];
  const next = second !== undefined && second.user !== first.user ? second.user : first.next;
  return notify === 'next' && next !== undefined ? [next] : [...new Set(everyone)];
}
