import { type UserId, serverOf } from '#domain/accounts.ts';
import { OpsError } from '#domain/errors.ts';
import { connect } from '#adapters/matrix/client.ts';
import type { Synapse } from '#adapters/synapse/open.ts';
import type { Settings } from '../settings.ts';
import { dependent, type Finding, type Look, shared, warning, well, wrong } from './finding.ts';

const mendIt = 'npm start -- mend, with the same settings.';
const initAgain = 'npm start -- init, as at first, mends it: it finds what is there.';

/** What several looks need: asked once. Each throws when it isn't to be had. */
export type Known = {
  /** Resolves when the homeserver answers. */
  homeserver: () => Promise<{ version: string }>;
  admin: () => Promise<UserId>;
};

export function knownOf(synapse: Synapse): Known {
  const version = shared(() => synapse.probes.serverVersion());
  const homeserver = async (): Promise<{ version: string }> => ({ version: await version() });
  const admin = shared(async () => {
    const [status] = await synapse.tokens.status();
    if (status?.works === true && status.owner !== undefined) return status.owner;
    throw new OpsError('misconfigured', status?.note ?? 'It does not work.', { hint: mendIt });
  });
  return { homeserver: () => dependent(homeserver(), 'the homeserver does not answer'), admin };
}

export function homeserverLooks(settings: Settings, synapse: Synapse, known: Known): Look[] {
  const { matrix, people } = settings;
  const whenAdmin = async (): Promise<UserId> => {
    await known.homeserver();
    return dependent(known.admin(), 'the admin token does not work');
  };
  return [
    {
      part: 'homeserver',
      async look() {
        const version = await synapse.probes.serverVersion().catch((error: unknown) => {
          if (!(error instanceof OpsError) || error.kind !== 'unavailable') throw error;
          const hint = `Is Synapse running, and is synapse.url (${settings.synapse.url}) its address?`;
          throw new OpsError('unavailable', error.message, { hint, cause: error });
        });
        await synapse.probes.versions();
        return well(`Synapse ${version} at ${settings.synapse.url}`);
      },
    },
    {
      part: 'admin token',
      async look() {
        await known.homeserver();
        const admin = await known.admin();
        return admin === matrix.userId
          ? warning(`${admin} is the bot's own account`, `Give the bot an account that is no admin: ${initAgain}`)
          : well(`${admin}, a server admin`);
      },
    },
    {
      part: 'bot token',
      async look() {
        await known.homeserver();
        return botToken(matrix);
      },
    },
    {
      part: 'rate limits',
      async look() {
        const admin = await whenAdmin();
        return rateLimits(synapse, [matrix.userId, admin]);
      },
    },
    {
      part: 'people',
      async look() {
        await whenAdmin();
        return peopleExist(synapse, people, serverOf(matrix.userId));
      },
    },
  ];
}

async function botToken(matrix: Settings['matrix']): Promise<Finding> {
  const { request } = connect({ homeserverUrl: matrix.homeserverUrl, accessToken: matrix.accessToken.reveal() });
  let answer: Record<string, unknown>;
  try {
    answer = await request('GET', '/_matrix/client/v3/account/whoami');
  } catch (error) {
    if (!(error instanceof OpsError) || error.kind !== 'misconfigured') throw error;
    return wrong('matrix.accessToken is not accepted (any more).', mendIt);
  }
  const user = String(answer['user_id']);
  if (user !== matrix.userId) {
    return wrong(
      `matrix.accessToken belongs to ${user}, not to ${matrix.userId}.`,
      'Change matrix.userId or the token.',
    );
  }
  if (typeof answer['device_id'] === 'string') return well(`${user}, device ${answer['device_id']}`);
  return warning(`${user}, but without a device`, `A token from a login has one: ${initAgain}`);
}

async function rateLimits(synapse: Synapse, users: readonly UserId[]): Promise<Finding> {
  const limited: UserId[] = [];
  for (const user of new Set(users)) {
    const limit = await synapse.accounts.rateLimit(user);
    if (limit?.messagesPerSecond !== 0 || limit.burstCount !== 0) limited.push(user);
  }
  if (limited.length === 0) return well('lifted for the bot and the admin account');
  return warning(
    `${limited.join(' and ')} may send 10 messages, then one in 5 s, unless Synapse is set otherwise`,
    mendIt,
  );
}

/** Those whom this homeserver knows; others' servers can't be asked. */
async function peopleExist(synapse: Synapse, people: Settings['people'], server: string): Promise<Finding> {
  const users = people.flatMap(({ user, aka }) => [user, ...aka]);
  const faults: string[] = [];
  for (const user of users.filter((one) => serverOf(one) === server)) {
    const account = await synapse.accounts.find(user);
    if (account === undefined) faults.push(`there is no account ${user}`);
    else if (account.deactivated || account.locked) {
      faults.push(`${user} is ${account.deactivated ? 'deactivated' : 'locked'}`);
    }
  }
  if (faults.length > 0) return wrong(`${faults.join('; ')}.`, 'Mend people in the settings, or the accounts.');
  if (!people.some((person) => person.role === 'owner')) {
    return wrong('Nobody is an owner.', 'Give one of people the role owner.');
  }
  const others = users.filter((user) => serverOf(user) !== server).length;
  return well(`${people.length}, all with an account${others === 0 ? '' : `, but for ${others} on other servers`}`);
}
