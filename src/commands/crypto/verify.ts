import type { UserId } from '#domain/accounts.ts';
import { OpsError } from '#domain/errors.ts';
import { roleAtLeast } from '#domain/operators.ts';
import { User, z } from '#engine/args.ts';
import { defineChange } from '#engine/command.ts';

export default defineChange({
  summary: 'Accept the new identity of somebody who has reset theirs, so that their devices may command again.',
  examples: ['@bob:example.org'],
  args: z.strictObject({ user: User }),
  positional: ['user'],
  role: 'admin',
  confirm: 'caller',
  undo: 'none',
  needs: ['encryption', 'operators'],
  plan: z.strictObject({ user: z.string(), fingerprint: z.string() }),
  afterCrash: 'resume',
  steps: { accept: { title: 'accept the identity', again: 'safe' } },
  async prepare({ user }, { encryption, operators }, caller) {
    const known = await encryption.find(user);
    if (known.fingerprint === undefined) {
      throw new OpsError('notFound', `${user} has no identity to accept.`, {
        hint: 'They make one in their client: Settings, Encryption, set up recovery.',
      });
    }
    if (known.identity === 'known') throw new OpsError('conflict', `The identity of ${user} is accepted already.`);
    // Whoever has a new identity can't type here before it counts; from the shell the Unix user vouches for them. Who has
    // more to say than they gains nothing by it. Anybody else could make themselves an equal: that takes two.
    const theirs = operators.list().find((one) => one.user === user || one.aka.includes(user))?.role ?? 'viewer';
    const gains = caller.user !== user && (caller.role === theirs || !roleAtLeast(caller.role, theirs));
    return {
      plan: { user, fingerprint: known.fingerprint },
      facts: { signed: known.signed },
      touches: gains ? { users: [{ user }] } : { things: [`identity:${user}`] },
    };
  },
  describe: (plan, facts) => ({
    title: ['Accept the new identity of ', { code: plan.user }, '?'],
    blocks: [
      {
        kind: 'text',
        lines: [
          'Ask them on another way whether they have reset it: whoever runs the homeserver could have made it too.',
          ['Its fingerprint: ', { code: plan.fingerprint }],
          `It has signed ${facts.signed} of their devices, which may then command.`,
        ],
      },
    ],
  }),
  async apply(plan, { encryption }, run) {
    await run.step('accept', async () => encryption.accept(plan.user as UserId, plan.fingerprint));
    return { title: ['The identity of ', { code: plan.user }, ' is accepted.'] };
  },
});
