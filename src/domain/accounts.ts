import type { EpochMs } from './clock.ts';
import { OpsError } from './errors.ts';
import type { RoomId } from './rooms.ts';

/** A full Matrix user id, `@localpart:server`. Made by `parseUserId` only. */
export type UserId = string & { readonly brand: 'UserId' };

// Historical localparts may hold any printable ASCII but the colon; a server is a name or an address, and perhaps a port
// (Matrix spec, appendices "User identifiers" and "Server name").
const userIdPattern = /^@[\x21-\x39\x3b-\x7e]+:(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/;

/** Parses a full MXID. Throws `invalid` when it isn't one (255 bytes at most). */
export function parseUserId(text: string): UserId {
  if (!userIdPattern.test(text) || Buffer.byteLength(text) > 255) {
    throw new OpsError('invalid', `"${text}" is not a Matrix user id.`, { hint: 'It looks like @name:example.org.' });
  }
  return text as UserId;
}

export const localpartOf = (user: UserId): string => user.slice(1, user.indexOf(':'));
/** The server part: all after the first colon, so a port stays with it. */
export const serverOf = (user: UserId): string => user.slice(user.indexOf(':') + 1);

/** An account as the homeserver knows it. */
export type Account = {
  user: UserId;
  displayName: string | undefined;
  admin: boolean;
  deactivated: boolean;
  erased: boolean;
  locked: boolean;
  suspended: boolean;
  shadowBanned: boolean;
  /** The application service that owns it, if any. */
  appService: string | undefined;
  createdAt: EpochMs;
  lastSeenAt: EpochMs | undefined;
  emails: string[];
};

export type AccountSummary = Pick<
  Account,
  'user' | 'displayName' | 'admin' | 'deactivated' | 'locked' | 'createdAt' | 'lastSeenAt'
>;

export type Device = {
  id: string;
  displayName: string | undefined;
  lastSeenAt: EpochMs | undefined;
  lastSeenIp: string | undefined;
};

export type Membership = 'join' | 'invite' | 'knock' | 'leave' | 'ban';
export type RateLimit = { messagesPerSecond: number; burstCount: number };

export type AccountFilter = {
  /** Substring of id or display name. */
  text?: string;
  locked?: boolean;
  deactivated?: boolean;
  admins?: boolean;
  from?: number;
  limit?: number;
};

/**
 * Acting on behalf of a user by a login-as token of the admin account. The token never leaves the adapter; it ends by
 * itself after the validity asked for. Every call is repeatable.
 */
export interface Puppet {
  /** Leaves, or rejects an invite or knock. Leaving twice is fine. */
  leave(room: RoomId, reason: string): Promise<void>;
  join(room: RoomId): Promise<void>;
  invite(room: RoomId, user: UserId): Promise<void>;
  logout(): Promise<void>;
}

/** Accounts of the own homeserver. Every write looks first that the account exists: Synapse's PUT would create it. */
export interface Accounts {
  readonly serverName: string;
  /** The account whose token is used: never a target. */
  readonly adminUser: UserId;
  find(user: UserId): Promise<Account | undefined>;
  /** Throws `notFound`. */
  get(user: UserId): Promise<Account>;
  list(filter: AccountFilter): Promise<{ accounts: AccountSummary[]; total: number; next: number | undefined }>;
  devices(user: UserId): Promise<Device[]>;
  memberships(user: UserId): Promise<Map<RoomId, Membership>>;
  rateLimit(user: UserId): Promise<RateLimit | undefined>;
  setRateLimit(user: UserId, limit: RateLimit | undefined): Promise<void>;
  /** Deletes these devices with their tokens and keys; unknown ids are fine. */
  deleteDevices(user: UserId, ids: string[]): Promise<void>;
  /** Sets the password and ends every session. */
  setPassword(user: UserId, password: string): Promise<void>;
  /** Each reads the flag back and throws `conflict` when the homeserver did not take it. */
  setSuspended(user: UserId, suspended: boolean): Promise<void>;
  setLocked(user: UserId, locked: boolean): Promise<void>;
  /** Puts a room member back by the admin account (public room, or the admin is in it and may invite). */
  joinByAdmin(room: RoomId, user: UserId): Promise<void>;
  /** Closes the account for good. `erase` also removes the profile and hides messages from people who join later. */
  deactivate(user: UserId, erase: boolean): Promise<void>;
  actAs(user: UserId, validForMs: number): Promise<Puppet>;
}

/** The homeserver's own database, for the one thing that its API can't do. */
export interface SessionsDatabase {
  /**
   * Deletes the user's OpenID tokens; gives the number deleted. They outlive lock and deactivation, and for an hour each
   * buys a new token for calls. Before the account is suspended and its devices are gone, the user can ask for new ones.
   */
  forgetOpenIdTokens(user: UserId): Promise<number>;
}
