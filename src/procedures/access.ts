import { counted } from '#domain/counted.ts';
import type { Account, UserId } from '#domain/accounts.ts';
import { asOpsError } from '#domain/errors.ts';
import type { Roster, RosterStatus } from '#domain/roster.ts';

/** Why somebody can't; undefined: they can. */
export type Access = { login: string | undefined; read: string | undefined; call: string | undefined };

/** What a person asks first: can they log in, read and call? With why not, and what is not known. */
export function accessInWords(access: Access, unknown: { call: string | undefined }): string {
  const ways = [
    { can: 'log in', not: access.login },
    { can: 'read', not: access.read },
    { can: 'call', not: access.call },
  ].filter(({ can, not }) => can !== 'call' || not !== undefined || unknown.call === undefined);
  const all = (words: string[], last: string): string =>
    words.length > 1 ? `${words.slice(0, -1).join(', ')} ${last} ${words.at(-1)}` : (words[0] ?? '');
  const can = ways.filter(({ not }) => not === undefined).map((way) => way.can);
  const whys = [...new Set(ways.flatMap(({ not }) => not ?? []))];
  const cannot = whys.map((why) => {
    const words = ways.filter(({ not }) => not === why).map((way) => way.can);
    return `cannot ${all(words, 'or')}: ${why}`;
  });
  return [
    ...cannot,
    ...(can.length > 0 ? [`can ${all(can, 'and')}`] : []),
    ...(ways.length < 3 ? [`whether they can call is unknown: ${unknown.call}`] : []),
  ].join('; ');
}

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

/**
 * What taking somebody out changes in the application, in words, and whether anything is left to change. An application
 * that is down keeps nobody in chat.
 */
export async function inApplication(
  user: UserId,
  roster: Roster | undefined,
): Promise<{ said: string; left: boolean }> {
  if (roster === undefined) return { said: 'off, so it is left as it is', left: false };
  try {
    const person = await roster.findByMatrix(user);
    if (person === undefined) return { said: 'they are not known there', left: false };
    const { projects } = await roster.snapshot(person.id);
    const count = counted(projects.length, 'project');
    const left = person.status !== 'suspended' || projects.length > 0;
    return { said: left ? `${person.rawStatus} → suspended, ${count} taken` : `${person.rawStatus} already`, left };
  } catch (error) {
    return { said: `cannot be asked, so this will be left to do: ${asOpsError(error).message}`, left: true };
  }
}
