import {
  type Account,
  type AccountFilter,
  type Accounts,
  type AccountSummary,
  type Device,
  localpartOf,
  type Membership,
  type Puppet,
  type RateLimit,
  type UserId,
} from '#domain/accounts.ts';
import type { Clock } from '#domain/clock.ts';
import { OpsError } from '#domain/errors.ts';
import type { RoomId } from '#domain/rooms.ts';
import { z } from 'zod';
import { listAccounts } from './account-list.ts';
import { type Answer, type Call, part, type SynapseApi } from './admin-api.ts';
import { accountAnswer, devicesAnswer, membershipsAnswer, rateLimitAnswer, toAccount, toDevice } from './answers.ts';
import { refusalOf } from './failures.ts';
import type { AdminIdentity } from './identity.ts';
import { SynapsePuppet } from './puppet.ts';

const v1 = (user: UserId, rest: string): string => `/_synapse/admin/v1/users/${part(user)}/${rest}`;
const v2 = (user: UserId, rest = ''): string => `/_synapse/admin/v2/users/${part(user)}${rest}`;

/** Accounts through Synapse's admin API. */
export class SynapseAccounts implements Accounts {
  readonly #api: SynapseApi;
  readonly #identity: AdminIdentity;
  readonly #clock: Clock;
  readonly #learn: (token: string) => void;

  constructor(api: SynapseApi, identity: AdminIdentity, clock: Clock, learn: (token: string) => void = () => {}) {
    this.#learn = learn;
    this.#api = api;
    this.#identity = identity;
    this.#clock = clock;
  }

  get serverName(): string {
    return this.#identity.requireServerName();
  }

  get adminUser(): UserId {
    return this.#identity.require();
  }

  async find(user: UserId): Promise<Account | undefined> {
    try {
      const { data } = await this.#api.call({
        method: 'GET',
        path: v2(user),
        answer: accountAnswer,
        doing: `look up ${user}`,
      });
      return toAccount(data);
    } catch (error) {
      if (error instanceof OpsError && error.kind === 'notFound') return undefined;
      // Another server's user: a 400 without a code of its own.
      if (refusalOf(error)?.said.includes('only look up local users')) return undefined;
      throw error;
    }
  }

  async get(user: UserId): Promise<Account> {
    const account = await this.find(user);
    if (account !== undefined) return account;
    throw new OpsError('notFound', `There is no account ${user} on this homeserver.`, {
      hint: `!users ${localpartOf(user)} finds names alike.`,
    });
  }

  list(filter: AccountFilter): Promise<{ accounts: AccountSummary[]; total: number; next: number | undefined }> {
    return listAccounts(this.#api, filter);
  }

  async devices(user: UserId): Promise<Device[]> {
    const { data } = await this.#api.call({
      method: 'GET',
      path: v2(user, '/devices'),
      answer: devicesAnswer,
      doing: `list the devices of ${user}`,
    });
    return data.devices.map(toDevice);
  }

  async memberships(user: UserId): Promise<Map<RoomId, Membership>> {
    // Of an unknown user Synapse says {} with 200: only the account itself tells.
    const [, { data }] = await Promise.all([
      this.get(user),
      this.#api.call({
        method: 'GET',
        path: v1(user, 'memberships'),
        answer: membershipsAnswer,
        doing: `list the rooms of ${user}`,
      }),
    ]);
    return new Map(Object.entries(data.memberships)) as Map<RoomId, Membership>;
  }

  async rateLimit(user: UserId): Promise<RateLimit | undefined> {
    const { data } = await this.#api.call({
      method: 'GET',
      path: v1(user, 'override_ratelimit'),
      answer: rateLimitAnswer,
      doing: `read the rate limit of ${user}`,
    });
    if (data.messages_per_second == null || data.burst_count == null) return undefined;
    return { messagesPerSecond: data.messages_per_second, burstCount: data.burst_count };
  }

  async setRateLimit(user: UserId, limit: RateLimit | undefined): Promise<void> {
    await this.get(user);
    await this.#write({
      method: limit === undefined ? 'DELETE' : 'POST',
      path: v1(user, 'override_ratelimit'),
      ...(limit && { body: { messages_per_second: limit.messagesPerSecond, burst_count: limit.burstCount } }),
      doing: `set the rate limit of ${user}`,
    });
  }

  async deleteDevices(user: UserId, ids: string[]): Promise<void> {
    await this.#target(user);
    if (ids.length === 0) return;
    await this.#write({
      method: 'POST',
      path: v2(user, '/delete_devices'),
      body: { devices: ids },
      doing: `end the sessions of ${user}`,
    });
  }

  async setPassword(user: UserId, password: string): Promise<void> {
    await this.#target(user);
    await this.#write({
      method: 'PUT',
      path: v2(user),
      body: { password, logout_devices: true },
      doing: `set the password of ${user}`,
    });
  }

  async setSuspended(user: UserId, suspended: boolean): Promise<void> {
    await this.#target(user);
    await this.#write({
      method: 'PUT',
      path: `/_synapse/admin/v1/suspend/${part(user)}`,
      body: { suspend: suspended },
      doing: `${suspended ? 'suspend' : 'unsuspend'} ${user}`,
    });
    await this.#readBack(user, { suspended });
  }

  async setLocked(user: UserId, locked: boolean): Promise<void> {
    await this.#target(user);
    await this.#write({
      method: 'PUT',
      path: v2(user),
      body: { locked },
      doing: `${locked ? 'lock' : 'unlock'} ${user}`,
    });
    await this.#readBack(user, { locked });
  }

  async joinByAdmin(room: RoomId, user: UserId): Promise<void> {
    // Where the admin account is no member, someone who is in already would get "not in room" as well.
    if ((await this.memberships(user)).get(room) === 'join') return;
    try {
      await this.#write({
        method: 'POST',
        path: `/_synapse/admin/v1/join/${part(room)}`,
        body: { user_id: user },
        patient: true,
        doing: `join ${user} to ${room}`,
      });
    } catch (error) {
      if (refusalOf(error)?.said.includes('already in the room') !== true) throw error;
    }
  }

  async deactivate(user: UserId, erase: boolean): Promise<void> {
    const account = await this.#target(user);
    // Synapse doesn't notice that it is at it already; repeated calls starve its database (synapse #16055).
    if (account.deactivated && (account.erased || !erase)) return;
    await this.#write({
      method: 'POST',
      path: `/_synapse/admin/v1/deactivate/${part(user)}`,
      body: { erase },
      doing: `deactivate ${user}`,
    });
    await this.#readBack(user, erase ? { deactivated: true, erased: true } : { deactivated: true });
  }

  async actAs(user: UserId, validForMs: number): Promise<Puppet> {
    const account = await this.#target(user);
    // Synapse would give a token and then refuse it (401), room by room.
    if (account.locked) {
      throw new OpsError('conflict', `Cannot act for ${user}: the account is locked. This step changed nothing.`, {
        hint: 'Suspend it, unlock it, then run this again.',
      });
    }
    const { data } = await this.#api.call({
      method: 'POST',
      path: v1(user, 'login'),
      body: { valid_until_ms: Math.floor(this.#clock.now() + validForMs) },
      answer: z.object({ access_token: z.string() }),
      doing: `act for ${user}`,
    });
    this.#learn(data.access_token);
    return new SynapsePuppet(this.#api, user, data.access_token);
  }

  /** Looks first: Synapse's PUT on a mistyped id would create the account. The token's own account is never a target. */
  async #target(user: UserId): Promise<Account> {
    const [account, adminUser] = await Promise.all([this.get(user), this.#identity.ask()]);
    if (account.user !== adminUser) return account;
    throw new OpsError('denied', `${user} is the bot's own admin account: it is never a target.`);
  }

  async #write(call: Omit<Call<unknown>, 'answer'>): Promise<Answer<unknown>> {
    const answer = await this.#api.call(call);
    if (answer.status === 201) {
      throw new OpsError('internal', `Cannot ${call.doing}: Synapse created an account of that name instead.`, {
        effect: 'done',
        hint: 'Deactivate the account that was created.',
      });
    }
    return answer;
  }

  async #readBack(user: UserId, wanted: Partial<Account>): Promise<void> {
    const account = await this.get(user);
    for (const [key, value] of Object.entries(wanted)) {
      const found = account[key as keyof Account];
      if (found === value) continue;
      throw new OpsError('conflict', `Synapse took the change of ${user}, yet ${key} is ${String(found)}.`, {
        effect: 'unknown',
        hint: 'Synapse below 1.91, accounts managed elsewhere (MAS) or another administrator do that. !user shows the account.',
      });
    }
  }
}
