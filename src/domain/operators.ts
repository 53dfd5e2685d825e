import type { UserId } from './accounts.ts';
import type { EpochMs } from './clock.ts';

/** From the least to the most. */
export const roles = ['viewer', 'operator', 'admin', 'owner'] as const;
export type Role = (typeof roles)[number];

export const roleAtLeast = (role: Role | undefined, least: Role): boolean =>
  role !== undefined && roles.indexOf(role) >= roles.indexOf(least);

/** Someone who may command. `fixed`: from the settings file, not to be changed from the room. */
export type Person = {
  user: UserId;
  role: Role;
  fixed: boolean;
  /** Other accounts of the same human: one human, one vote. */
  aka: UserId[];
  shell: string | undefined;
  addedBy: UserId | undefined;
  addedAt: EpochMs | undefined;
  /** The other human who said yes to it, then or later. */
  confirmedBy?: UserId | undefined;
};

/** Who may command. */
export interface Operators {
  find(user: UserId): Person | undefined;
  list(): Person[];
  add(person: { user: UserId; role: Role; addedBy: UserId; at: EpochMs; confirmedBy?: UserId | undefined }): void;
  /** Another owner stands in for somebody who was added by one alone. */
  confirm(user: UserId, by: UserId): void;
  remove(user: UserId, at: EpochMs): void;
}

/** Are these two accounts one human? */
export function sameHuman(a: UserId, b: UserId, people: readonly Person[]): boolean {
  if (a === b) return true;
  return people.some((p) => (p.user === a || p.aka.includes(a)) && (p.user === b || p.aka.includes(b)));
}

/** How long somebody whom one owner added alone counts as that owner wherever two people are needed. */
export const vouchMs = 24 * 3_600_000;

/**
 * The human who answers for an account. Whoever was added in the room by one person alone is their hand for a day: the
 * others have that long to see it. Without this rule an owner could make the second of two, or the first.
 */
export function answersFor(user: UserId, people: readonly Person[], now: EpochMs): UserId {
  const chain = new Set<UserId>();
  for (let at = user; ;) {
    const person = people.find((p) => p.user === at || p.aka.includes(at));
    if (person?.addedBy === undefined || person.addedAt === undefined || person.fixed) return person?.user ?? at;
    // People who added one another are one, whoever of them is asked about.
    if (chain.has(person.user)) return [...chain].sort()[0] ?? at;
    chain.add(person.user);
    const confirmed = person.confirmedBy !== undefined && !sameHuman(person.confirmedBy, person.addedBy, people);
    if (confirmed || now - person.addedAt >= vouchMs) return person.user;
    at = person.addedBy;
  }
}

/** Are these two, of whom two are needed, two? */
export const independent = (a: UserId, b: UserId, people: readonly Person[], now: EpochMs): boolean =>
  !sameHuman(answersFor(a, people, now), answersFor(b, people, now), people);
