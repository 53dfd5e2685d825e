import type { UserId } from '#domain/accounts.ts';
import { OpsError } from '#domain/errors.ts';
import { roles } from '#domain/operators.ts';
import { User, z } from '#engine/args.ts';
import { defineChange } from '#engine/command.ts';
import { refuseFixed, touchesOf } from '#procedures/change-role.ts';

export default defineChange({
  summary: 'Take somebody’s role away.',
  examples: ['@bob:example.org'],
  args: z.strictObject({ user: User }),
  positional: ['user'],
  role: 'owner',
  confirm: 'caller',
  approver: 'owner',
  undo: 'fully',
  needs: ['operators'],
  plan: z.strictObject({ user: z.string(), before: z.enum(roles) }),
  afterCrash: 'resume',
  steps: { remove: { title: 'take the role away', again: 'safe' } },
  prepare({ user }, { operators }) {
    const person = operators.find(user);
    if (!person) throw new OpsError('notFound', `${user} has no role.`, { hint: '!people lists who has one.' });
    refuseFixed(person);
    return {
      plan: { user, before: person.role },
      facts: undefined,
      touches: touchesOf(user, person.role),
    };
  },
  describe: (plan) => ({ title: ['Take the role ', { bold: plan.before }, ' from ', { code: plan.user }, '?'] }),
  async apply(plan, { operators, clock }, run) {
    await run.step('remove', async () => operators.remove(plan.user as UserId, clock.now()));
    return { title: [{ code: plan.user }, ' has no role any more.'] };
  },
  inverse: (plan) => `people add ${plan.user} ${plan.before}`,
});
