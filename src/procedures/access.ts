import type { Account } from '#domain/accounts.ts';
import type { RosterStatus } from '#domain/roster.ts';

/** Why somebody can't; undefined: they can. */
export type Access = { login: string | undefined; read: string | undefined; call: string | undefined };

/** What the flags of an account and the application's status mean for the person. */
export function access(account: Account, status: RosterStatus | undefined, banned: boolean): Access {
  const closed = account.deactivated
    ? 'the account is deactivated'
    : account.locked
      ? 'the account is locked'
      : undefined;
  const application =
    status === undefined || status === 'active'
      ? undefined
      : `the application says ${status}: they must be active to join calls`;
  const call = closed ?? (banned ? 'they are kept out of calls' : application);
  return { login: closed, read: closed, call };
}
