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
};

/** Who may command. */
export interface Operators {
  find(user: UserId): Person | undefined;
  list(): Person[];
  add(person: { user: UserId; role: Role; addedBy: UserId; at: EpochMs }): void;
  remove(user: UserId, at: EpochMs): void;
}

/** Are these two accounts one human? */
export function sameHuman(a: UserId, b: UserId, people: readonly Person[]): boolean {
  if (a === b) return true;
  return people.some((p) => (p.user === a || p.aka.includes(a)) && (p.user === b || p.aka.includes(b)));
}
