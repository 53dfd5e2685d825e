import type { UserId } from './accounts.ts';
import type { Grant } from './grants.ts';
import type { RoomFacts } from './inbox.ts';
import { type Person, type Role, roleAtLeast, roles } from './operators.ts';

/** What the settings say of one role: the power level it counts from, and commands beyond its own. */
export type RoleRule = { powerLevel?: number | undefined; grants: Grant[] };
export type RoleRules = { [role in Role]?: RoleRule | undefined };

// From version 12 on whoever made the room stands above all, and is not in m.room.power_levels (MSC4289, MSC4304).
const creatorsAboveAll = (version: string | undefined): boolean =>
  Number(version) >= 12 || version === 'org.matrix.hydra.11';

/** Somebody's power level in a room; `Infinity` for who made one of version 12; undefined as long as it isn't known. */
export function powerOf(facts: RoomFacts | undefined, user: UserId): number | undefined {
  if (facts?.creators === undefined) return undefined;
  const made = facts.creators.includes(user);
  if (made && creatorsAboveAll(facts.version)) return Number.POSITIVE_INFINITY;
  // A room without the event: who made it has 100, everybody else nothing.
  if (facts.power === undefined) return made ? 100 : 0;
  return Object.hasOwn(facts.power.users, user) ? facts.power.users[user] : facts.power.usersDefault;
}

/** A role counts only as far as the power level reaches: an operator's from theirs, an admin's from that and its own. */
export function roleThatCounts(
  person: Person | undefined,
  power: number | undefined,
  rules: RoleRules = {},
): Role | undefined {
  const reached = roles.findIndex((role) => {
    const least = rules[role]?.powerLevel;
    return !roleAtLeast(person?.role, role) || (least !== undefined && (power === undefined || power < least));
  });
  return reached === -1 ? roles.at(-1) : roles[reached - 1];
}

/** Why a listed role doesn't count here, in words. */
export function powerLacks(
  person: Person,
  power: number | undefined,
  rules: RoleRules,
): { why: string; hint: string } | undefined {
  const counts = roleThatCounts(person, power, rules);
  if (counts === person.role) return undefined;
  const first = roles.find((role) => !roleAtLeast(counts, role));
  const least = first && rules[first]?.powerLevel;
  const yours = power === undefined ? 'yours is not known yet' : `yours is ${power}`;
  return {
    why: `You are ${person.role}, but that counts only from power level ${least} in this room; ${yours}.`,
    hint: 'Somebody with more power in the room can raise it: room settings, roles and permissions.',
  };
}
