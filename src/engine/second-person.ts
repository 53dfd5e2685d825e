import type { Standings } from '#domain/approvers.ts';
import { absentApprovers, approversOf, isAlone } from '#domain/approvers.ts';
import type { UserId } from '#domain/accounts.ts';
import { formatDuration } from '#domain/duration.ts';
import { OpsError } from '#domain/errors.ts';
import { answersFor, type Person, type Role, roleAtLeast, sameHuman, vouchMs } from '#domain/operators.ts';
import type { Confirmation } from '#domain/policy.ts';
import type { Run } from '#domain/runs.ts';
import { powerOf, roleThatCounts } from '#domain/standing.ts';
import type { ChangeCommand } from './command.ts';
import { factsOf, type House } from './house.ts';

/** How it stands with people and room at this moment. */
export const standingsOf = (house: House, site: string): Standings => ({
  people: house.ports(site).operators.list(),
  facts: factsOf(house, site),
  rules: house.settings.roles,
  now: house.clock.now(),
});

/** Whom a question goes to. `aloneMs`: nobody else could say yes, and silence for that long is one. */
export type Asked = { role: Role; approvers: UserId[]; aloneMs: number | undefined };

/** Throws `denied` when two people are needed and there is only one. */
export function whoIsAsked(
  house: House,
  run: Run,
  command: ChangeCommand,
  decision: { need: Confirmation; approver?: Role | undefined },
): Asked {
  const standings = standingsOf(house, run.site);
  if (decision.need !== 'two-person')
    return { role: ownRole(run, command, standings), approvers: [], aloneMs: undefined };
  const role = decision.approver ?? command.approver ?? command.role ?? 'operator';
  const approvers = approversOf(run, role, standings);
  if (approvers.length > 0) return { role, approvers, aloneMs: undefined };
  const waitMs = house.settings.alone?.waitMs;
  if (waitMs !== undefined && isAlone(run.actor, role, standings)) return { role, approvers, aloneMs: waitMs };
  throw new OpsError('denied', `This needs a second person with the role ${role}, and there is nobody else.`, {
    hint: moreApprovers(house, run, role, standings),
  });
}

/** Only the caller can answer: with the command's role, or with the lesser one that it was granted to. */
function ownRole(run: Run, command: ChangeCommand, { people, facts, rules }: Standings): Role {
  const least = command.role ?? 'viewer';
  const person = people.find((p) => p.user === run.actor || p.aka.includes(run.actor));
  const role = run.proof === 'shell' ? person?.role : roleThatCounts(person, powerOf(facts, run.actor), rules);
  return role === undefined || roleAtLeast(role, least) ? least : role;
}

/** What to do when nobody else could say yes. */
function moreApprovers(house: House, run: Run, role: Role, standings: Standings): string {
  const { people, now } = standings;
  const absent = absentApprovers(run, role, standings);
  if (absent.length > 0)
    return `${absent.join(' or ')} could, but is not in this room with the power that it takes: invite them.`;
  const hand = people.find(
    (person) =>
      roleAtLeast(person.role, role) && isHand(person, standings) && !sameHuman(person.user, run.actor, people),
  );
  if (hand?.addedBy !== undefined && hand.addedAt !== undefined) {
    const left = formatDuration(hand.addedAt + vouchMs - now);
    return `${hand.user} was added by ${hand.addedBy} alone and counts as them for another ${left}. Another owner can confirm them: !people add ${hand.user} ${hand.role}`;
  }
  const alone = house.settings.alone === undefined && isAlone(run.actor, role, standings);
  const wait = alone ? ' A team of one can set `approvals: { alone: { wait: 30m, announce: everyone } }`.' : '';
  // From admin up a role itself takes two people.
  return roleAtLeast(role, 'admin')
    ? `Put one under \`people\` in the settings file and start the bot again.${wait}`
    : `An owner can add one: !people add @name ${role}.${wait}`;
}

const isHand = (person: Person, { people, now }: Standings): boolean =>
  answersFor(person.user, people, now) !== person.user;
