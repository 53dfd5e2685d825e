import type { UserId } from '#domain/accounts.ts';
import { OpsError } from '#domain/errors.ts';
import { Flag, User, z } from '#engine/args.ts';
import { defineChange } from '#engine/command.ts';
import { forbidCalls } from '#procedures/call-ban.ts';
import { snapshot, whereabouts, takeFromProjects } from '#procedures/take-out.ts';

const pollMs = 1000;
// Synapse leaves rooms in the background, some 160 ms each.
const leaveTimeoutMs = 300_000;

export default defineChange({
  summary: 'Close an account for good. Two people.',
  examples: ['@mallory:example.org', '--erase @mallory:example.org'],
  args: z.strictObject({
    user: User,
    erase: Flag.describe('their messages are hidden from whoever joins later; for good'),
  }),
  positional: ['user'],
  role: 'admin',
  confirm: 'two-person',
  undo: 'none',
  needs: ['accounts', 'rooms', 'takings'],
  wants: ['calls', 'roster', 'sessions'],
  plan: z.strictObject({ user: z.string(), erase: z.boolean(), rosterId: z.string().nullable() }),
  // Never by itself a second time: people look first.
  afterCrash: 'report',
  steps: {
    snapshot: { title: 'remember where they were', again: 'safe' },
    status: { title: 'set the application status', again: 'safe' },
    close: { title: 'deactivate the account', again: 'never' },
    calls: { title: 'throw out of calls', again: 'safe' },
    tokens: { title: 'delete tokens for calls', again: 'safe' },
    projects: { title: 'remove from projects', again: 'safe' },
    leave: { title: 'wait until all rooms are left', again: 'safe' },
    lock: { title: 'lock what is left', again: 'safe' },
  },

  async prepare({ user, erase }, { accounts, rooms, roster }) {
    const account = await accounts.get(user);
    if (account.deactivated && (account.erased || !erase)) {
      throw new OpsError('conflict', `${user} is ${account.erased ? 'erased' : 'deactivated'} already.`);
    }
    const person = await roster?.findByMatrix(user);
    const where = await whereabouts(user, { accounts, rooms });
    const devices = await accounts.devices(user);
    return {
      plan: { user, erase, rosterId: person?.id ?? null },
      facts: {
        account,
        rooms: where.rooms.length + where.alone.length,
        alone: where.alone.length,
        devices: devices.length,
      },
      touches: { users: [{ user, admin: account.admin, appService: account.appService !== undefined }] },
    };
  },

  describe: (plan, facts) => ({
    title: ['Close ', { code: plan.user }, ' for good?'],
    blocks: [
      {
        kind: 'list',
        items: [
          `who: ${facts.account.displayName ?? 'no name'}${facts.account.admin ? ', server admin' : ''}`,
          `out of ${facts.rooms} rooms (${facts.alone} with nobody else in them: lost), ${facts.devices} sessions ended`,
          'lost for good: sessions, encryption keys and key backup, account data, e-mail bindings',
          plan.erase
            ? 'erased: profile gone, messages hidden from people who join later; those who were there still see them'
            : 'profile and messages stay',
        ],
      },
    ],
  }),

  async apply(plan, ports, run) {
    const user = plan.user as UserId;
    const { accounts, calls, roster, sessions, takings, clock, bot } = ports;
    const { rosterId } = plan;
    await run.step('snapshot', async () => (await snapshot(user, run.id, { ...ports, site: bot.site })).rooms.length);
    if (roster && rosterId !== null) await run.attempt('status', () => roster.setStatus(rosterId, 'suspended'));
    else run.skip('status', 'not known to the application');
    await run.step('close', () => accounts.deactivate(user, plan.erase));
    if (calls) await run.attempt('calls', () => forbidCalls(user, run.id, ports));
    else run.skip('calls', 'LiveKit is off');
    if (sessions) await run.attempt('tokens', () => sessions.forgetOpenIdTokens(user));
    else run.skip('tokens', "the homeserver's database is not configured");
    if (roster && rosterId !== null) {
      await run.attempt('projects', () => takeFromProjects(user, rosterId, roster, takings));
    } else run.skip('projects', 'not known to the application');
    await run.attempt('leave', async (signal) => {
      const until = clock.monotonicMs() + leaveTimeoutMs;
      let first: number | undefined;
      for (;;) {
        const left = [...(await accounts.memberships(user)).values()].filter((m) => m === 'join').length;
        if (left === 0) return;
        first ??= left;
        run.progress(first - left, first, 'leaving rooms');
        if (clock.monotonicMs() > until)
          throw new OpsError('unavailable', `Synapse still leaves ${left} rooms; it goes on by itself.`);
        await clock.sleep(pollMs, signal);
      }
    });
    // Login-as tokens of other admins outlive a deactivation; a lock stops them.
    await run.attempt('lock', () => accounts.setLocked(user, true));
    return { title: [{ code: user }, plan.erase ? ' is closed and erased.' : ' is closed for good.'] };
  },
});
