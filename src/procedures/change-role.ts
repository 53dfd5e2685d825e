import type { UserId } from '#domain/accounts.ts';
import type { Clock } from '#domain/clock.ts';
import { formatDuration } from '#domain/duration.ts';
import { OpsError } from '#domain/errors.ts';
import type { Line, Reply } from '#domain/messages.ts';
import {
  answersFor,
  independent,
  type Operators,
  type Person,
  type Role,
  roleAtLeast,
  roles,
  vouchMs,
} from '#domain/operators.ts';
import type { Touches } from '#domain/runs.ts';
import { z } from '#engine/args.ts';

/** `confirm`: they have the role already, and another owner stands in for them. */
export const rolePlan = z.strictObject({
  user: z.string(),
  role: z.enum(roles),
  before: z.enum(roles).nullable(),
  confirm: z.boolean(),
});
export type RolePlan = z.infer<typeof rolePlan>;

/** Who stands in the settings file is changed there. Throws `conflict`. */
export function refuseFixed(person: Person | undefined): void {
  if (!person?.fixed) return;
  throw new OpsError('conflict', `${person.user} is fixed in the settings file, as ${person.role}.`, {
    hint: 'Change it there under `people` and start the bot again.',
  });
}

/** Admin and up takes two people: the policy sees to it by this mark. */
export const touchesOf = (user: UserId, ...held: Array<Role | undefined>): Touches => ({
  users: [{ user, ...(held.some((role) => roleAtLeast(role, 'admin')) ? { admin: true } : {}) }],
});

/** What giving this role comes to. Throws `conflict`. */
export function planRole(
  { user, role }: { user: UserId; role: Role },
  { operators, clock }: { operators: Operators; clock: Clock },
  caller: UserId,
): { plan: RolePlan; touches: Touches } {
  const before = operators.find(user);
  refuseFixed(before);
  if (before?.role !== role) {
    return {
      plan: { user, role, before: before?.role ?? null, confirm: false },
      touches: touchesOf(user, role, before?.role),
    };
  }
  const people = operators.list();
  const now = clock.now();
  if (answersFor(user, people, now) === user) throw new OpsError('conflict', `${user} is ${role} already.`);
  if (!independent(user, caller, people, now)) {
    throw new OpsError('conflict', `${user} is ${role} already, added by ${before.addedBy ?? 'somebody'} alone.`, {
      hint: 'Another owner can confirm them by the same line; after a day nobody has to.',
    });
  }
  // They are nobody's target here: that they count as their maker is what is ended.
  return { plan: { user, role, before: role, confirm: true }, touches: { things: [`role:${user}`] } };
}

export function askRole(plan: RolePlan, name: string | undefined): Reply {
  const who: Line = [{ code: plan.user }, ` (${name ?? 'no name'})`];
  return plan.confirm
    ? { title: ['Confirm ', ...who, ' as ', { bold: plan.role }, '? They then count as a human of their own.'] }
    : { title: [...who, `: ${plan.before ?? 'no role'} → `, { bold: plan.role }, '?'] };
}

/** Gives the role, or confirms it; repeatable. */
export function giveRole(
  plan: RolePlan,
  { operators, clock }: { operators: Operators; clock: Clock },
  by: { actor: UserId; approver: UserId | undefined },
): void {
  const user = plan.user as UserId;
  if (plan.confirm) operators.confirm(user, by.actor);
  else operators.add({ user, role: plan.role, addedBy: by.actor, at: clock.now(), confirmedBy: by.approver });
}

export function roleGiven(plan: RolePlan, by: { actor: UserId; approver: UserId | undefined }): Reply {
  if (plan.confirm)
    return { title: [{ code: plan.user }, ' is confirmed as ', { bold: plan.role }, ` by ${by.actor}.`] };
  const alone = by.approver === undefined && roleAtLeast(plan.role, 'operator');
  const line = `Where two people are needed they count as ${by.actor}, who added them alone, for ${formatDuration(vouchMs)}; another owner ends that by typing the same line.`;
  return {
    title: [{ code: plan.user }, ' is now ', { bold: plan.role }, '.'],
    ...(alone ? { blocks: [{ kind: 'text', lines: [line] }] } : {}),
  };
}
