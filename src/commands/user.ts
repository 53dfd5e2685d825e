import { isIdentityOf } from '#domain/calls.ts';
import { ago } from '#domain/duration.ts';
import { OpsError } from '#domain/errors.ts';
import { roleAtLeast } from '#domain/operators.ts';
import { User, z } from '#engine/args.ts';
import { defineQuery } from '#engine/command.ts';
import { access, accessInWords } from '#procedures/access.ts';

export default defineQuery({
  summary: 'Can they log in, read and call? If not, why not.',
  examples: ['@mallory:example.org', 'mallory'],
  args: z.strictObject({ user: User }),
  positional: ['user'],
  role: 'viewer',
  needs: ['accounts'],
  wants: ['roster', 'calls', 'takings'],
  async answer({ user }, { accounts, roster, calls, takings, clock }, caller) {
    const account = await accounts.find(user);
    if (!account)
      throw new OpsError('notFound', `There is no account ${user}.`, { hint: '!users finds by a part of the name.' });
    const [devices, memberships, person, participants] = await Promise.all([
      accounts.devices(user),
      accounts.memberships(user),
      roster
        ?.findByMatrix(user)
        .catch((error: unknown) => ({ down: error instanceof OpsError ? error.message : 'it failed' })),
      calls
        ?.rooms()
        .then((rooms) => Promise.all(rooms.map((room) => calls.participants(room.name))))
        .catch(() => undefined),
    ]);
    const inCalls = participants?.filter((list) => list.some((p) => isIdentityOf(p.identity, user))).length;
    const hold = takings?.held().find((held) => held.user === user);
    const joined = [...memberships.values()].filter((membership) => membership === 'join').length;
    const known = person !== undefined && 'id' in person ? person : undefined;
    return {
      account,
      devices: devices.length,
      joined,
      inCalls,
      hold,
      application:
        roster === undefined
          ? 'off'
          : known
            ? `${known.rawStatus} (id ${known.id})`
            : person && 'down' in person
              ? `cannot be asked: ${person.down}`
              : 'not known there',
      // A part that can't be asked says nothing, least of all that all is well.
      unknown: { call: person && 'down' in person ? 'the application cannot be asked' : undefined },
      access: access(account, known?.status, hold !== undefined),
      now: clock.now(),
      emails: roleAtLeast(caller.role, 'operator') ? account.emails : [],
    };
  },
  view(found) {
    const { account, now } = found;
    const { login, read, call } = found.access;
    const barred = [login, read, call].some((why) => why !== undefined);
    const verdict = barred ? 'critical' : found.unknown.call === undefined ? 'ok' : 'unknown';
    const marks = (['admin', 'deactivated', 'erased', 'locked', 'suspended', 'shadowBanned'] as const).filter(
      (flag) => account[flag],
    );
    const offers = [];
    if (account.deactivated) offers.push({ text: 'Closed for good', command: `audit --act deactivate` });
    else if (account.locked || account.suspended)
      offers.push({ text: 'Bring back', command: `enable ${account.user}` });
    return {
      title: [
        { code: account.user },
        account.displayName === undefined ? '' : ` (${account.displayName})`,
        ` ${accessInWords(found.access, found.unknown)}`,
      ],
      verdict,
      blocks: [
        {
          kind: 'list',
          items: [
            ...(marks.length > 0 ? [marks.join(', ')] : []),
            `${found.devices} sessions, in ${found.joined} rooms, ${found.inCalls === undefined ? 'calls not known' : `in ${found.inCalls} calls`}`,
            `made ${ago(account.createdAt, now)}, ${account.lastSeenAt === undefined ? 'never seen' : `seen ${ago(account.lastSeenAt, now)}`}`,
            `application: ${found.application}`,
            ...(account.appService === undefined ? [] : [`belongs to the application service ${account.appService}`]),
            ...(found.emails.length > 0 ? [`e-mail: ${found.emails.join(', ')}`] : []),
            ...(found.hold === undefined ? [] : [`kept out of calls by run r${found.hold.run}`]),
          ],
        },
      ],
      offers,
    };
  },
});
