import type { UserId } from '#domain/accounts.ts';
import { isIdentityOf } from '#domain/calls.ts';
import { OpsError } from '#domain/errors.ts';
import { User, z } from '#engine/args.ts';
import { defineChange } from '#engine/command.ts';
import { hashedIdentities, removeFromCalls } from '#procedures/call-ban.ts';

export default defineChange({
  summary: 'Throw someone out of the calls they are in. They can come back.',
  examples: ['@mallory:example.org'],
  args: z.strictObject({ user: User }),
  positional: ['user'],
  role: 'operator',
  confirm: 'caller',
  undo: 'none',
  needs: ['calls', 'accounts', 'rooms'],
  plan: z.strictObject({ user: z.string() }),
  afterCrash: 'resume',
  steps: { kick: { title: 'throw out of calls', again: 'safe' } },
  async prepare({ user }, ports) {
    const { calls } = ports;
    const [rooms, hashed] = await Promise.all([calls.rooms(), hashedIdentities(user, ports)]);
    const lists = await Promise.all(rooms.map((room) => calls.participants(room.name)));
    const inside = rooms.filter((_, index) =>
      lists[index]?.some((participant) => isIdentityOf(participant.identity, user, hashed)),
    );
    if (inside.length === 0) throw new OpsError('notFound', `${user} is in no call.`, { hint: '!calls lists who is.' });
    return { plan: { user }, facts: { calls: inside.map((room) => room.name) }, touches: { users: [{ user }] } };
  },
  describe: (plan, facts) => ({
    title: [
      'Throw ',
      { code: plan.user },
      ` out of ${facts.calls.length === 1 ? 'the call' : `${facts.calls.length} calls`}?`,
    ],
    blocks: [{ kind: 'text', lines: ['They can join again at once; !disable keeps them out.'] }],
  }),
  async apply(plan, ports, run) {
    const user = plan.user as UserId;
    const removed = await run.step('kick', async () =>
      removeFromCalls(user, ports.calls, await hashedIdentities(user, ports)),
    );
    return { title: [{ code: plan.user }, removed === 0 ? ' had left already.' : ` was thrown out (${removed}×).`] };
  },
});
