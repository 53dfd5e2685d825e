import { OpsError } from '#domain/errors.ts';
import { RoleName, User, z } from '#engine/args.ts';
import { defineChange } from '#engine/command.ts';
import { askRole, giveRole, planRole, roleGiven, rolePlan } from '#procedures/change-role.ts';

export default defineChange({
  summary: 'Give somebody a role. Typed by another owner, it confirms whom one owner added alone.',
  examples: ['@bob:example.org operator'],
  args: z.strictObject({ user: User, role: RoleName }),
  positional: ['user', 'role'],
  role: 'owner',
  confirm: 'caller',
  approver: 'owner',
  undo: 'fully',
  needs: ['operators', 'accounts'],
  plan: rolePlan,
  afterCrash: 'resume',
  steps: { add: { title: 'give the role', again: 'safe' } },
  async prepare(args, { accounts, operators, clock }, caller) {
    const account = await accounts.get(args.user);
    if (account.deactivated || account.locked || account.suspended) {
      throw new OpsError('conflict', `${args.user} is disabled; enable the account first.`, {
        hint: `!user ${args.user}`,
      });
    }
    return { ...planRole(args, { operators, clock }, caller.user), facts: { name: account.displayName } };
  },
  describe: (plan, facts) => askRole(plan, facts.name),
  async apply(plan, ports, run) {
    await run.step('add', async () => giveRole(plan, ports, run));
    return roleGiven(plan, run);
  },
  inverse: (plan) => (plan.before === null ? `people remove ${plan.user}` : `people set ${plan.user} ${plan.before}`),
});
