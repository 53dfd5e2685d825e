import { counted } from '#domain/counted.ts';
import type { UserId } from '#domain/accounts.ts';
import { OpsError } from '#domain/errors.ts';
import { Flag, User, z } from '#engine/args.ts';
import { defineChange } from '#engine/command.ts';
import { inApplication } from '#procedures/access.ts';
import { forbidCalls } from '#procedures/call-ban.ts';
import { snapshot, suspendThere, whereabouts, takeFromProjects } from '#procedures/take-out.ts';

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
  // As in !disable the application is a fact: it may be down in the very hour. `closed`: an earlier run got that far.
  plan: z.strictObject({ user: z.string(), erase: z.boolean(), closed: z.boolean() }),
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
    const closed = account.deactivated && (account.erased || !erase);
    const where = await whereabouts(user, { accounts, rooms });
    const inside = where.rooms.length + where.alone.length;
    const application = await inApplication(user, roster);
    // What an earlier one that was cut off left undone is finished by typing it again.
    if (closed && account.locked && inside === 0 && !application.left) {
      throw new OpsError('conflict', `${user} is ${account.erased ? 'erased' : 'deactivated'} already.`);
    }
    const devices = await accounts.devices(user);
    return {
      plan: { user, erase, closed },
      facts: {
        account,
        rooms: inside,
        alone: where.alone.length,
        devices: devices.length,
        application: application.said,
      },
      touches: { users: [{ user, admin: account.admin, appService: account.appService !== undefined }] },
    };
  },

  describe: (plan, facts) => ({
    title: plan.closed
      ? [{ code: plan.user }, ' is closed already. Finish what was left?']
      : ['Close ', { code: plan.user }, ' for good?'],
    blocks: [
      {
        kind: 'list',
        items: [
          `who: ${facts.account.displayName ?? 'no name'}${facts.account.admin ? ', server admin' : ''}`,
          `out of ${counted(facts.rooms, 'room')}${facts.alone > 0 ? ` (${facts.alone} with nobody else inside: lost)` : ''}, ${counted(facts.devices, 'session')} ended`,
          `application: ${facts.application}`,
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
    if (plan.closed) run.skip('snapshot', 'closed before: where they were was remembered then');
    else
      await run.step('snapshot', async () => (await snapshot(user, run.id, { ...ports, site: bot.site })).rooms.length);
    const rosterId = roster
      ? await run.attempt('status', () => suspendThere(user, roster))
      : run.skip('status', 'no application is configured');
    if (plan.closed) run.skip('close', 'closed before');
    else await run.step('close', () => accounts.deactivate(user, plan.erase));
    if (calls) await run.attempt('calls', () => forbidCalls(user, run.id, ports));
    else run.skip('calls', 'LiveKit is off');
    if (sessions) await run.attempt('tokens', () => sessions.forgetOpenIdTokens(user));
    else run.skip('tokens', "the homeserver's database is not configured");
    if (roster && rosterId !== null) {
      await run.attempt('projects', async () => {
        const id = rosterId ?? (await roster.findByMatrix(user))?.id;
        return id === undefined ? undefined : takeFromProjects(user, id, roster, takings);
      });
    } else run.skip('projects', roster ? 'not known to the application' : 'no application is configured');
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
