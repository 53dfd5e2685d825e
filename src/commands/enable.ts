import { randomBytes } from 'node:crypto';
import type { UserId } from '#domain/accounts.ts';
import { localpartOf } from '#domain/accounts.ts';
import { asOpsError, OpsError } from '#domain/errors.ts';
import { Flag, User, z } from '#engine/args.ts';
import { defineChange } from '#engine/command.ts';
import { putBack, puppetValidMs, type Taken } from '#procedures/take-out.ts';

const saidOf = { active: ', active', onboarding: ', in onboarding' };

export default defineChange({
  summary: 'Bring a disabled person back: account usable, onboarding again; rooms and projects when asked.',
  examples: ['@mallory:example.org', '--return mallory', '--active --return mallory'],
  args: z.strictObject({
    user: User,
    active: Flag.describe('active in the application again, not only to be set up anew'),
    return: Flag.describe('gives back the rooms and projects that were taken'),
  }),
  positional: ['user'],
  role: 'operator',
  confirm: 'caller',
  approver: 'admin',
  undo: 'fully',
  needs: ['accounts', 'rooms', 'takings', 'handover'],
  wants: ['roster'],
  plan: z.strictObject({
    user: z.string(),
    active: z.boolean(),
    putBack: z.boolean(),
    /** Not suspended: a soft disable, or enabled before. Password and sessions stay. */
    soft: z.boolean(),
  }),
  afterCrash: 'resume',
  steps: {
    password: { title: 'leave a one-time password for them', again: 'safe' },
    unlock: { title: 'unlock the account', again: 'safe' },
    unsuspend: { title: 'end the suspension', again: 'safe' },
    calls: { title: 'allow calls', again: 'safe' },
    limit: { title: 'give back the rate limit', again: 'safe' },
    status: { title: 'set the application status', again: 'safe' },
    puppet: { title: 'act on their behalf', again: 'safe', keep: false },
    rooms: { title: 'put back into rooms', again: 'safe' },
    projects: { title: 'put back into projects', again: 'safe' },
    prove: { title: 'prove that the account is usable', again: 'safe' },
  },

  async prepare({ user, active, return: putThemBack }, { accounts, roster, takings }) {
    const account = await accounts.get(user);
    if (account.deactivated) {
      throw new OpsError('conflict', `${user} is deactivated, which !enable does not undo.`, {
        hint: `!user ${user} shows how it stands.`,
      });
    }
    // The application may be down: then the rest is done, and the line that finishes it is shown.
    const asked = roster?.findByMatrix(user).catch((error: unknown) => asOpsError(error));
    const person = await asked;
    const known = person instanceof OpsError ? undefined : person;
    const taken = takings.find(user)?.snapshot as Taken | undefined;
    const inside = !account.locked && !account.suspended && taken === undefined;
    if (inside && person instanceof OpsError) throw person;
    if (inside && known?.status !== 'suspended') {
      throw new OpsError('conflict', `${user} is not disabled.`, {
        hint: `!user ${user} shows why something does not work.`,
      });
    }
    const soft = !account.suspended;
    const next = active ? 'active' : 'onboarding';
    const touched = known && (active || known.status === 'suspended');
    return {
      plan: { user, active, putBack: putThemBack, soft },
      facts: {
        account,
        rooms: taken?.back.length ?? 0,
        projects: taken?.projects.length ?? 0,
        application:
          person instanceof OpsError
            ? `cannot be asked, so this will be left to do: ${person.message}`
            : known && `${known.rawStatus}${touched ? ` → ${next}` : ', as it is'}`,
      },
      touches: { users: [{ user, admin: account.admin, appService: account.appService !== undefined }] },
    };
  },

  describe: (plan, facts) => ({
    title: ['Enable ', { code: plan.user }, '?'],
    blocks: [
      {
        kind: 'list',
        items: [
          plan.soft
            ? 'account unlocked; their sessions work again'
            : 'account usable again, with a one-time password left in a file on the bot’s machine',
          ...(facts.application === undefined ? [] : [`application: ${facts.application}`]),
          plan.putBack
            ? `back into ${facts.rooms} rooms and ${facts.projects} projects`
            : `not yet back into ${facts.rooms} rooms and ${facts.projects} projects: --return does that`,
        ],
      },
    ],
  }),

  async apply(plan, ports, run) {
    const user = plan.user as UserId;
    const { accounts, takings, handover, roster } = ports;
    const taken = takings.find(user)?.snapshot as Taken | undefined;
    const path = plan.soft
      ? undefined
      : await run.step('password', async () => {
          const password = randomBytes(15).toString('base64url');
          await accounts.setPassword(user, password);
          return handover.put(`${localpartOf(user)}-r${run.id}.txt`, `${user}\n${password}\n`);
        });
    await run.step('unlock', () => accounts.setLocked(user, false));
    await run.step('unsuspend', () => accounts.setSuspended(user, false));
    await run.step('calls', async () => takings.release(user));
    await run.attempt('limit', () =>
      taken?.rateLimit ? accounts.setRateLimit(user, taken.rateLimit) : Promise.resolve(),
    );
    // A soft disable never touched the application, so its end doesn't either.
    const application = roster
      ? await run.attempt('status', async () => {
          const person = await roster.findByMatrix(user);
          if (person === undefined) return { id: null, status: null };
          const touched = plan.active || person.status === 'suspended';
          const status = plan.active ? ('active' as const) : ('onboarding' as const);
          if (touched) await roster.setStatus(person.id, status);
          return { id: person.id, status: touched ? status : null };
        })
      : run.skip('status', 'no application is configured');
    const rosterId = application?.id ?? null;
    if (plan.putBack && taken) {
      const puppet = await run.step('puppet', () => accounts.actAs(user, puppetValidMs));
      const back = await run.each('rooms', taken.back, (room) => putBack(user, room, puppet, ports), { parallel: 4 });
      await puppet.logout().catch(() => {});
      const given =
        roster && rosterId !== null
          ? await run.attempt('projects', async () => {
              await roster.addMemberships(rosterId, taken.projects);
              return true;
            })
          : taken.projects.length === 0;
      run.say(
        `back in ${taken.back.length - back.failed.length} of ${taken.back.length} rooms and ${taken.projects.length} projects`,
      );
      // What could not be given back stays remembered, for the line that finishes it.
      if (back.failed.length === 0 && given === true) takings.returned(user);
    }
    await run.step('prove', async () => {
      const account = await accounts.get(user);
      if (account.locked || account.suspended)
        throw new OpsError('conflict', `${user} is disabled again by someone else.`);
    });
    if (path !== undefined) run.say(['one-time password: on the bot’s machine in ', { code: path }]);
    if (!plan.putBack && taken && taken.back.length + taken.projects.length > 0) {
      run.offer(
        `Put back into ${taken.back.length} rooms and ${taken.projects.length} projects`,
        `enable --return ${user}`,
      );
    }
    return {
      title: [{ code: user }, ` is enabled${application?.status ? saidOf[application.status] : ''}.`],
    };
  },

  inverse: (plan) => `disable ${plan.soft ? '--soft ' : ''}${plan.user} as before`,
});
