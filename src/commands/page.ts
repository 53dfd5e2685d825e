import { localpartOf, type UserId } from '#domain/accounts.ts';
import { incidentName } from '#domain/incidents.ts';
import { RestOfLine, User, z } from '#engine/args.ts';
import { defineChange } from '#engine/command.ts';

/** `!page oncall` reads as a user of that name. */
const isOnCall = (user: UserId): boolean => ['oncall', 'on-call'].includes(localpartOf(user).toLowerCase());

export default defineChange({
  summary: 'Calls somebody, or whoever is on call, until they acknowledge.',
  examples: ['oncall the shop cannot take orders', '@bob:example.org please look at the backup'],
  args: z.strictObject({ user: User, text: RestOfLine }),
  positional: ['user', 'text'],
  role: 'viewer',
  needs: ['incidents'],
  runsPaused: true,
  confirm: 'none',
  undo: 'none',
  plan: z.strictObject({ to: z.string(), text: z.string(), by: z.string() }),
  afterCrash: 'resume',
  // Again within a minute, the same words are the same page.
  steps: { page: { title: 'page', again: 'safe' } },
  prepare: (args, _ports, caller) => ({
    plan: { to: isOnCall(args.user) ? 'on-call' : args.user, text: args.text, by: caller.user },
    facts: undefined,
    touches: {},
  }),
  describe: (plan) => ({ title: `Page ${plan.to === 'on-call' ? 'whoever is on call' : plan.to}: ${plan.text}` }),
  async apply(plan, ports, run) {
    const to = plan.to as UserId | 'on-call';
    const id = await run.step('page', async () => ports.incidents.page(to, plan.text, plan.by as UserId).id);
    const duty = ports.incidents.onDuty()[0]?.user;
    const whom = to !== 'on-call' ? to : (duty ?? 'every owner, since no rota is set');
    return {
      title: `🔔 ${incidentName(id)}: paging ${whom}. It goes on until somebody acknowledges.`,
      verdict: 'none',
    };
  },
});
