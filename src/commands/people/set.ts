import { OpsError } from '#domain/errors.ts';
import { RoleName, User, z } from '#engine/args.ts';
import { defineChange } from '#engine/command.ts';
import { askRole, giveRole, planRole, refuseFixed, roleGiven, rolePlan } from '#procedures/change-role.ts';

export default defineChange({
  summary: 'Change the role of somebody who has one.',
  examples: ['@bob:example.org viewer'],
  args: z.strictObject({ user: User, role: RoleName }),
  positional: ['user', 'role'],
  role: 'owner',
  confirm: 'caller',
  approver: 'owner',
  undo: 'fully',
  needs: ['operators', 'accounts'],
  plan: rolePlan,
  afterCrash: 'resume',
  steps: { set: { title: 'change the role', again: 'safe' } },
  async prepare(args, { accounts, operators, clock }, caller) {
    const person = operators.find(args.user);
    refuseFixed(person);
    if (!person) {
      throw new OpsError('notFound', `${args.user} has no role yet.`, {
        hint: `!people add ${args.user} ${args.role}`,
      });
    }
    const account = await accounts.find(args.user);
    return { ...planRole(args, { operators, clock }, caller.user), facts: { name: account?.displayName } };
  },
  describe: (plan, facts) => askRole(plan, facts.name),
  async apply(plan, ports, run) {
    await run.step('set', async () => giveRole(plan, ports, run));
    return roleGiven(plan, run);
  },
  inverse: (plan) => `people set ${plan.user} ${plan.before ?? plan.role}`,
});
