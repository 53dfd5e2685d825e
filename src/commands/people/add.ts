import type { UserId } from '#domain/accounts.ts';
import { OpsError } from '#domain/errors.ts';
import { roleAtLeast, roles } from '#domain/operators.ts';
import { RoleName, User, z } from '#engine/args.ts';
import { defineChange } from '#engine/command.ts';

export default defineChange({
  summary: 'Give somebody a role, or another one.',
  examples: ['@bob:example.org operator'],
  args: z.strictObject({ user: User, role: RoleName }),
  positional: ['user', 'role'],
  role: 'owner',
  confirm: 'caller',
  approver: 'owner',
  undo: 'fully',
  needs: ['operators', 'accounts'],
  plan: z.strictObject({ user: z.string(), role: z.enum(roles), before: z.enum(roles).nullable() }),
  afterCrash: 'resume',
  steps: { add: { title: 'give the role', again: 'safe' } },
  async prepare(args, { accounts, operators }) {
    const account = await accounts.get(args.user);
    if (account.deactivated || account.locked || account.suspended) {
      throw new OpsError('conflict', `${args.user} is disabled; enable the account first.`, {
        hint: `!user ${args.user}`,
      });
    }
    const before = operators.find(args.user);
    if (before?.role === args.role) throw new OpsError('conflict', `${args.user} is ${args.role} already.`);
    if (before?.fixed)
      throw new OpsError('conflict', `${args.user} is fixed in the settings file; change the role there.`);
    const high = roleAtLeast(args.role, 'admin') || roleAtLeast(before?.role, 'admin');
    return {
      plan: { user: args.user, role: args.role, before: before?.role ?? null },
      facts: { name: account.displayName },
      // Admin and up takes two people: the policy sees to it by this mark.
      touches: { users: [{ user: args.user, ...(high ? { admin: true } : {}) }] },
    };
  },
  describe: (plan, facts) => ({
    title: [
      { code: plan.user },
      ` (${facts.name ?? 'no name'}): ${plan.before ?? 'no role'} → `,
      { bold: plan.role },
      '?',
    ],
  }),
  async apply(plan, { operators, clock }, run) {
    const user = plan.user as UserId;
    await run.step('add', async () => operators.add({ user, role: plan.role, addedBy: run.actor, at: clock.now() }));
    return { title: [{ code: plan.user }, ' is now ', { bold: plan.role }, '.'] };
  },
  inverse: (plan) => (plan.before === null ? `people remove ${plan.user}` : `people add ${plan.user} ${plan.before}`),
});
