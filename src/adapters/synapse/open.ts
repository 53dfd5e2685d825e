import type { Accounts, UserId } from '#domain/accounts.ts';
import type { Clock } from '#domain/clock.ts';
import type { Rooms } from '#domain/rooms.ts';
import type { Tokens } from '#domain/tokens.ts';
import { SynapseAccounts } from './accounts.ts';
import { requireHeaderSafe, SynapseApi } from './admin-api.ts';
import { AdminIdentity } from './identity.ts';
import { SynapseProbes } from './probes.ts';
import { SynapseRooms } from './rooms.ts';
import { SynapseTokens } from './tokens.ts';

export type SynapseSettings = {
  url: string;
  adminToken: string;
  clock: Clock;
  /** Taken from the admin account's id when not given. */
  serverName?: string;
  /** Whose token it is, in case Synapse is down at the start. */
  adminUser?: UserId;
  /** The chat account's token, for `tokens` only. */
  chatToken?: string;
  /** Is told of each token that is made for a user, so that it is hidden wherever it turns up. */
  learn?: (token: string) => void;
  readTimeoutMs?: number;
  writeTimeoutMs?: number;
};

export interface Synapse extends AsyncDisposable {
  accounts: Accounts;
  rooms: Rooms;
  tokens: Tokens;
  probes: SynapseProbes;
  /** The admin account as far as it is known; `accounts.adminUser` throws instead. */
  findAdminUser(): UserId | undefined;
}

// A start must not wait for a Synapse that hangs.
const firstAskTimeoutMs = 2000;

/** Opens also while Synapse is down or refuses the token: then it goes on asking in the background. */
export async function openSynapse(settings: SynapseSettings): Promise<Synapse> {
  const { clock, chatToken } = settings;
  const api = new SynapseApi(settings);
  if (chatToken !== undefined) requireHeaderSafe(chatToken, 'matrix.accessToken');
  const identity = new AdminIdentity(api, settings);
  await identity.ask(firstAskTimeoutMs).catch(() => undefined);
  const watching = identity.watch(api.closing);
  return {
    accounts: new SynapseAccounts(api, identity, clock, settings.learn),
    rooms: new SynapseRooms(api),
    tokens: new SynapseTokens(api, chatToken === undefined ? undefined : { token: chatToken }),
    probes: new SynapseProbes(api, identity, clock),
    findAdminUser: () => identity.find(),
    async [Symbol.asyncDispose]() {
      await api[Symbol.asyncDispose]();
      await watching;
    },
  };
}
