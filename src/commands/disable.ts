import { counted } from '#domain/counted.ts';
import { randomBytes } from 'node:crypto';
import type { Accounts, Puppet, UserId } from '#domain/accounts.ts';
import { type CallServer, isIdentityOf } from '#domain/calls.ts';
import { OpsError } from '#domain/errors.ts';
import { ago } from '#domain/duration.ts';
import type { Line, Reply } from '#domain/messages.ts';
import type { RoomId, Rooms } from '#domain/rooms.ts';
import { Flag, RestOfLine, User, z } from '#engine/args.ts';
import { defineChange } from '#engine/command.ts';
import { inApplication } from '#procedures/access.ts';
import { forbidCalls, hashedIdentities, unidentified } from '#procedures/call-ban.ts';
import {
  leave,
  puppetValidMs,
  snapshot,
  suspendThere,
  type Taken,
  whereabouts,
  takeFromProjects,
} from '#procedures/take-out.ts';

const leaveParallel = 8;

export default defineChange({
  summary: 'Take someone out of chat and calls at once.',
  examples: ['@mallory:example.org posting spam', '--soft mallory cooling down'],
  args: z.strictObject({
    user: User,
    reason: RestOfLine,
    soft: Flag.describe('gentle: they stay logged in and can read, but cannot write'),
  }),
  positional: ['user', 'reason'],
  role: 'operator',
  confirm: 'caller',
  approver: 'admin',
  undo: 'partly',
  needs: ['accounts', 'rooms', 'takings'],
  wants: ['calls', 'roster', 'sessions'],
  // Where the person is may move until the yes, and must not void it: rooms are facts here and read again in `apply`. So
  // is the application, which may be down in the very hour.
  plan: z.strictObject({ user: z.string(), reason: z.string(), soft: z.boolean() }),
  afterCrash: 'resume',
  steps: {
    suspend: { title: 'suspend the account', again: 'safe' },
    devices: { title: 'end every session', again: 'safe' },
    calls: { title: 'throw out of calls', again: 'safe' },
    snapshot: { title: 'remember what is taken', again: 'safe' },
    status: { title: 'set the application status', again: 'safe' },
    password: { title: 'replace the password', again: 'safe' },
    tokens: { title: 'delete tokens for calls', again: 'safe' },
    leave: { title: 'leave the rooms', again: 'safe' },
    projects: { title: 'remove from projects', again: 'safe' },
    prove: { title: 'prove that nothing is left', again: 'safe' },
    lock: { title: 'lock the account', again: 'safe' },
  },

  async prepare(args, ports) {
    const account = await ports.accounts.get(args.user);
    if (account.deactivated) {
      throw new OpsError('conflict', `${args.user} is deactivated already: nothing is left to disable.`);
    }
    // At once: this is read again after the yes, while the person is still inside.
    const [application, { rooms, alone }, devices, inCall] = await Promise.all([
      inApplication(args.user, ports.roster),
      whereabouts(args.user, ports),
      ports.accounts.devices(args.user),
      ports.calls && countInCalls(args.user, ports.calls, ports).catch(() => undefined),
    ]);
    const inside = rooms.length + devices.length + (inCall ?? 0);
    const open = args.soft ? !account.locked : !account.locked || !account.suspended || application.left;
    // Calls that can't be asked may hold them still.
    const unsure = ports.calls !== undefined && inCall === undefined;
    if (!open && inside === 0 && !unsure) {
      throw new OpsError('conflict', `${args.user} is disabled already: nothing is left to do.`, {
        hint: `!user ${args.user} shows how it stands.`,
      });
    }
    return {
      plan: { user: args.user, reason: args.reason, soft: args.soft },
      facts: {
        account,
        rooms: rooms.length,
        alone,
        devices: devices.length,
        calls: ports.calls ? callsLine(inCall) : 'off, so nobody is thrown out of one',
        application: application.said,
      },
      touches: {
        users: [{ user: args.user, admin: account.admin, appService: account.appService !== undefined }],
      },
    };
  },

  describe(plan, facts, { clock }): Reply {
    const { account } = facts;
    const seen = account.lastSeenAt === undefined ? 'never seen' : `last seen ${ago(account.lastSeenAt, clock.now())}`;
    const who: Line = [
      'who: ',
      { code: plan.user },
      ` (${account.displayName ?? 'no name'}, ${seen}${account.admin ? ', server admin' : ''})`,
    ];
    const calls = `calls: ${facts.calls}`;
    if (plan.soft) {
      return {
        title: ['Lock ', { code: plan.user }, '? They keep rooms and devices; access stops.'],
        blocks: [{ kind: 'list', items: [who, calls, `why: ${plan.reason}`] }],
      };
    }
    const app = `application: ${facts.application}`;
    const already = [...(account.suspended ? ['suspended'] : []), ...(account.locked ? ['locked'] : [])];
    const items: Line[] = [
      who,
      ...(already.length > 0 ? [`already: ${already.join(' and ')}; what is left:`] : []),
      `chat: ${counted(facts.devices, 'session')} ended, out of ${counted(facts.rooms, 'room')}`,
      calls,
      app,
      `why: ${plan.reason}`,
    ];
    if (facts.alone.length > 0) {
      items.push(
        `left alone: ${counted(facts.alone.length, 'room')} with nobody else in it, which nobody could enter again`,
      );
    }
    return {
      title: ['Disable ', { code: plan.user }, '?'],
      blocks: [
        { kind: 'list', items },
        {
          kind: 'text',
          lines: [
            'Lost for good: the sessions, and messages that only they can decrypt. !enable --return brings rooms and projects back.',
          ],
        },
      ],
    };
  },

  async apply(plan, ports, run) {
    const user = plan.user as UserId;
    const { accounts, takings, calls, roster, sessions, bot } = ports;
    const forbid = (): Promise<number> => forbidCalls(user, run.id, ports);
    if (plan.soft) {
      await run.step('lock', () => accounts.setLocked(user, true));
      if (calls) await run.attempt('calls', forbid);
      return { title: [{ code: user }, ' is locked. Rooms and devices are kept.'] };
    }
    await run.step('suspend', () => accounts.setSuspended(user, true));
    const devices = await run.step('devices', async () => {
      const list = await accounts.devices(user);
      await accounts.deleteDevices(
        user,
        list.map((device) => device.id),
      );
      return list.length;
    });
    const thrownOut = calls ? await run.attempt('calls', forbid) : run.skip('calls', 'LiveKit is off');
    // What ends access comes first; where they are doesn't move by it, and is taken from them only after this.
    const seen = await run.step('snapshot', async () => {
      const taken = await snapshot(user, run.id, { ...ports, site: bot.site });
      return { rooms: taken.rooms.length, alone: taken.alone.slice(0, 20) };
    });
    const rosterId = roster
      ? await run.attempt('status', () => suspendThere(user, roster))
      : run.skip('status', 'no application is configured');
    await run.step('password', () => accounts.setPassword(user, randomBytes(48).toString('base64url')));
    if (sessions) await run.attempt('tokens', () => sessions.forgetOpenIdTokens(user));
    else run.skip('tokens', "the homeserver's database is not configured");

    let acting: Promise<Puppet> | undefined;
    const puppet = (): Promise<Puppet> => (acting ??= actFor(user, accounts));
    const taken = takings.find(user)?.snapshot as Taken | undefined;
    const rooms = taken?.rooms ?? [];
    let left: { failed: Array<{ item: RoomId; why: string }> } = { failed: [] };
    try {
      left = await run.each('leave', rooms, async (room) => leave(await puppet(), room, plan.reason), {
        parallel: leaveParallel,
      });
    } finally {
      await acting?.then((token) => token.logout()).catch(() => {});
    }
    if (roster && rosterId !== null) {
      await run.attempt('projects', async () => {
        const id = rosterId ?? (await roster.findByMatrix(user))?.id;
        if (id === undefined) return undefined;
        return takeFromProjects(user, id, roster, takings);
      });
    } else run.skip('projects', roster ? 'not known to the application' : 'no application is configured');
    await run.attempt('prove', () => proveOut(user, accounts, taken?.alone ?? []));
    await run.step('lock', () => accounts.setLocked(user, true));

    run.say(`${counted(devices, 'session')} ended`);
    run.say(`out of ${rooms.length - left.failed.length} of ${counted(rooms.length, 'room')}`);
    if (thrownOut !== undefined)
      run.say(
        thrownOut > 0 ? 'thrown out of the call, and kept out for 2 h' : 'was in no call; kept out of calls for 2 h',
      );
    const hidden = calls ? await unidentified(calls).catch(() => 0) : 0;
    if (hidden > 0) run.say(`${hidden} in calls under a hashed identity that none of their rooms explains`);
    if (seen.alone.length > 0) {
      run.say([
        `left alone, with nobody else in ${seen.alone.length === 1 ? 'it' : 'them'}: `,
        { code: seen.alone.join(', ') },
      ]);
    }
    return { title: [{ code: user }, ' is disabled: ', plan.reason] };
  },

  inverse: (plan) => `enable ${plan.soft ? '' : '--return '}${plan.user}`,
});

const callsLine = (inCall: number | undefined): string =>
  inCall === undefined
    ? 'LiveKit does not say whether they are in one; kept out for 2 h'
    : `in ${inCall === 0 ? 'none' : inCall} now; kept out for 2 h`;

/** Under a lock nothing can be done on their behalf. An earlier disable may have left one; suspended they stay meanwhile. */
async function actFor(user: UserId, accounts: Accounts): Promise<Puppet> {
  await accounts.setLocked(user, false);
  return accounts.actAs(user, puppetValidMs);
}

async function countInCalls(
  user: UserId,
  calls: CallServer,
  ports: { accounts: Accounts; rooms: Rooms },
): Promise<number> {
  const [rooms, hashed] = await Promise.all([calls.rooms(), hashedIdentities(user, ports)]);
  const lists = await Promise.all(rooms.map((room) => calls.participants(room.name)));
  return lists.filter((list) => list.some((participant) => isIdentityOf(participant.identity, user, hashed))).length;
}

/** Nothing but the rooms with nobody else may be left, and no session. */
async function proveOut(user: UserId, accounts: Accounts, alone: readonly string[]): Promise<void> {
  const devices = await accounts.devices(user);
  if (devices.length > 0)
    await accounts.deleteDevices(
      user,
      devices.map((device) => device.id),
    );
  const left = [...(await accounts.memberships(user))]
    .filter(([room, membership]) => ['join', 'invite', 'knock'].includes(membership) && !alone.includes(room))
    .map(([room]) => room);
  if (left.length > 0) throw new OpsError('conflict', `${user} is still in ${counted(left.length, 'room')}.`);
}
