import type { UserId } from './accounts.ts';
import type { EpochMs } from './clock.ts';
import type { RoomFacts } from './inbox.ts';
import { independent, type Person, type Role, roleAtLeast } from './operators.ts';
import type { Run } from './runs.ts';
import { powerOf, type RoleRules, roleThatCounts } from './standing.ts';

/** All that says who may answer, as it is now. */
export type Standings = {
  people: readonly Person[];
  facts: RoomFacts | undefined;
  rules: RoleRules;
  now: EpochMs;
};

/** The account of a person that could answer in the room: joined, and with enough power for the role. */
function accountFor(person: Person, role: Role, { facts, rules }: Standings): UserId | undefined {
  return [person.user, ...person.aka].find(
    (user) =>
      facts?.joined.includes(user) === true && roleAtLeast(roleThatCounts(person, powerOf(facts, user), rules), role),
  );
}

/** Who is listed with the role and neither is the caller nor a target, nor answers for one of them. */
function others(run: Pick<Run, 'actor' | 'touches'>, role: Role, { people, now }: Standings): Person[] {
  const involved = [run.actor, ...(run.touches.users ?? []).map(({ user }) => user)];
  return people.filter(
    (person) => roleAtLeast(person.role, role) && involved.every((user) => independent(person.user, user, people, now)),
  );
}

/** Who could be the second person now, by the account that is in the room. */
export const approversOf = (run: Pick<Run, 'actor' | 'touches'>, role: Role, standings: Standings): UserId[] =>
  others(run, role, standings).flatMap((person) => accountFor(person, role, standings) ?? []);

/** Those who could be if they were in the room, with the power that their role asks. */
export const absentApprovers = (run: Pick<Run, 'actor' | 'touches'>, role: Role, standings: Standings): UserId[] =>
  others(run, role, standings).flatMap((person) =>
    accountFor(person, role, standings) === undefined ? [person.user] : [],
  );

/**
 * A team of one: the caller has the role that the second person would need, and no other human has it, whether in the
 * room or not, target or not.
 */
export function isAlone(caller: UserId, role: Role, { people, facts, rules, now }: Standings): boolean {
  const person = people.find((p) => p.user === caller || p.aka.includes(caller));
  if (!roleAtLeast(roleThatCounts(person, powerOf(facts, caller), rules), role)) return false;
  return !people.some((other) => roleAtLeast(other.role, role) && independent(other.user, caller, people, now));
}
