import {
  type Account,
  type AccountFilter,
  type Accounts,
  type AccountSummary,
  type Device,
  localpartOf,
  type Membership,
  parseUserId,
  type Puppet,
  type RateLimit,
  type UserId,
} from '#domain/accounts.ts';
import type { Clock } from '#domain/clock.ts';
import { OpsError } from '#domain/errors.ts';
import type { RoomId } from '#domain/rooms.ts';
import { FakeClock } from './clock.ts';
import { Faults } from './faults.ts';
import { FakePuppet } from './puppet.ts';
import { FakeRooms } from './rooms.ts';

type Stored = Account & { devices: Device[]; rateLimit: RateLimit | undefined; password: string | undefined };
type Method = keyof { [K in keyof Accounts as Accounts[K] extends (...args: never[]) => unknown ? K : never]: true };

/** A homeserver's accounts in memory, with its refusals and without its delays. */
export class FakeAccounts implements Accounts {
  readonly serverName: string;
  readonly adminUser: UserId;
  readonly rooms: FakeRooms;
  readonly clock: Clock;
  readonly faults = new Faults<Method | keyof Puppet>();
  readonly #stored = new Map<UserId, Stored>();

  constructor(options: { serverName?: string; rooms?: FakeRooms; clock?: Clock } = {}) {
    this.serverName = options.serverName ?? 'example.org';
    this.rooms = options.rooms ?? new FakeRooms(this.serverName);
    this.clock = options.clock ?? new FakeClock();
    this.adminUser = this.add('opsroom-admin', { admin: true });
  }

  add(localpart: string, account: Partial<Account> & { devices?: Device[]; password?: string } = {}): UserId {
    const user = parseUserId(`@${localpart}:${this.serverName}`);
    this.#stored.set(user, {
      user,
      displayName: localpart,
      admin: false,
      deactivated: false,
      erased: false,
      locked: false,
      suspended: false,
      shadowBanned: false,
      appService: undefined,
      createdAt: this.clock.now(),
      lastSeenAt: undefined,
      emails: [],
      devices: [],
      rateLimit: undefined,
      password: undefined,
      ...account,
    });
    return user;
  }

  /** A session as a client's login makes it. Throws `denied` as the homeserver refuses it. */
  login(user: UserId, password: string): Device {
    const stored = this.#get(user);
    if (stored.locked || stored.deactivated || stored.password !== password)
      throw new OpsError('denied', 'Login refused.');
    const device = {
      id: `D${stored.devices.length + 1}`,
      displayName: undefined,
      lastSeenAt: undefined,
      lastSeenIp: undefined,
    };
    stored.devices.push(device);
    return device;
  }

  find(user: UserId): Promise<Account | undefined> {
    return this.faults.run('find', [user], () => {
      const stored = this.#stored.get(user);
      return stored && accountOf(stored);
    });
  }

  get(user: UserId): Promise<Account> {
    return this.faults.run('get', [user], () => accountOf(this.#get(user)));
  }

  list(filter: AccountFilter): Promise<{ accounts: AccountSummary[]; total: number; next: number | undefined }> {
    return this.faults.run('list', [filter], () => {
      const matching = [...this.#stored.values()].filter((account) => matches(account, filter));
      matching.sort((a, b) => (a.user < b.user ? -1 : 1));
      const from = filter.from ?? 0;
      const end = from + (filter.limit ?? 100);
      const next = end < matching.length ? end : undefined;
      return { accounts: matching.slice(from, end).map(summaryOf), total: matching.length, next };
    });
  }

  devices(user: UserId): Promise<Device[]> {
    return this.faults.run('devices', [user], () => [...this.#get(user).devices]);
  }

  memberships(user: UserId): Promise<Map<RoomId, Membership>> {
    return this.faults.run('memberships', [user], () => this.rooms.membershipsOf(this.#get(user).user));
  }

  rateLimit(user: UserId): Promise<RateLimit | undefined> {
    return this.faults.run('rateLimit', [user], () => this.#get(user).rateLimit);
  }

  setRateLimit(user: UserId, limit: RateLimit | undefined): Promise<void> {
    return this.faults.run('setRateLimit', [user, limit], () => {
      this.#get(user).rateLimit = limit;
    });
  }

  deleteDevices(user: UserId, ids: string[]): Promise<void> {
    return this.faults.run('deleteDevices', [user, ids], () => {
      const stored = this.#target(user);
      stored.devices = stored.devices.filter((device) => !ids.includes(device.id));
    });
  }

  setPassword(user: UserId, password: string): Promise<void> {
    return this.faults.run('setPassword', [user], () => this.#change(user, { password, devices: [] }));
  }

  setSuspended(user: UserId, suspended: boolean): Promise<void> {
    return this.faults.run('setSuspended', [user, suspended], () => this.#change(user, { suspended }));
  }

  setLocked(user: UserId, locked: boolean): Promise<void> {
    return this.faults.run('setLocked', [user, locked], () => this.#change(user, { locked }));
  }

  joinByAdmin(room: RoomId, user: UserId): Promise<void> {
    return this.faults.run('joinByAdmin', [room, user], () => {
      const stored = this.#get(user);
      if (this.rooms.membershipOf(room, user) === 'join') return;
      if (stored.suspended) throw new OpsError('denied', `${user} is suspended.`);
      const inside = this.rooms.membershipOf(room, this.adminUser) === 'join';
      if (!inside && !this.rooms.isPublic(room)) throw new OpsError('denied', `${this.adminUser} not in room ${room}.`);
      this.rooms.setMembership(room, user, 'join');
    });
  }

  deactivate(user: UserId, erase: boolean): Promise<void> {
    return this.faults.run('deactivate', [user, erase], () => {
      const stored = this.#target(user);
      Object.assign(stored, { deactivated: true, devices: [], password: undefined, emails: [] });
      if (erase) Object.assign(stored, { erased: true, displayName: undefined });
      for (const [room, membership] of this.rooms.membershipsOf(user)) {
        if (membership !== 'ban') this.rooms.setMembership(room, user, 'leave');
      }
    });
  }

  actAs(user: UserId, validForMs: number): Promise<Puppet> {
    return this.faults.run('actAs', [user, validForMs], () => {
      if (this.#target(user).locked) throw new OpsError('conflict', `Cannot act for ${user}: the account is locked.`);
      return new FakePuppet(this, user, this.clock.now() + validForMs);
    });
  }

  /** As it is now; for tests and puppets. Throws `notFound`. */
  peek(user: UserId): Account {
    return accountOf(this.#get(user));
  }

  #get(user: UserId): Stored {
    const stored = this.#stored.get(user);
    if (stored === undefined) throw new OpsError('notFound', `There is no account ${user} on ${this.serverName}.`);
    return stored;
  }

  #change(user: UserId, change: Partial<Stored>): void {
    Object.assign(this.#target(user), change);
  }

  #target(user: UserId): Stored {
    if (user === this.adminUser) throw new OpsError('denied', `${user} is the bot's own admin account.`);
    return this.#get(user);
  }
}

const accountOf = ({ devices: _devices, rateLimit: _limit, password: _password, ...account }: Stored): Account => ({
  ...account,
});

const summaryOf = ({
  user,
  displayName,
  admin,
  deactivated,
  locked,
  createdAt,
  lastSeenAt,
}: Account): AccountSummary => ({
  user,
  displayName,
  admin,
  deactivated,
  locked,
  createdAt,
  lastSeenAt,
});

function matches(account: Account, filter: AccountFilter): boolean {
  if (filter.locked !== undefined && account.locked !== filter.locked) return false;
  if (filter.deactivated !== undefined && account.deactivated !== filter.deactivated) return false;
  if (filter.admins !== undefined && account.admin !== filter.admins) return false;
  const text = (filter.text ?? '').toLowerCase();
  if (text.startsWith('@')) return account.user.includes(text);
  return localpartOf(account.user).includes(text) || (account.displayName ?? '').toLowerCase().includes(text);
}
