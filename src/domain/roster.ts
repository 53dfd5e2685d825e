import type { UserId } from './accounts.ts';

export type RosterStatus = 'active' | 'suspended' | 'onboarding' | 'other';

/** A person as the owner's application knows them. `rawStatus` is the application's own word. */
export type RosterUser = { id: string; user: UserId; status: RosterStatus; rawStatus: string };

/** What was taken from someone in the application; kept so that `enable` can offer it back. */
export type RosterSnapshot = { id: string; rawStatus: string; projects: string[]; credentials: number };

/** The owner's application: who is active, who is in which project. Every write is repeatable. */
export interface Roster {
  findByMatrix(user: UserId): Promise<RosterUser | undefined>;
  findById(id: string): Promise<RosterUser | undefined>;
  snapshot(id: string): Promise<RosterSnapshot>;
  setStatus(id: string, status: 'active' | 'suspended' | 'onboarding'): Promise<void>;
  /** Removes all project memberships; gives the number removed. */
  removeMemberships(id: string): Promise<number>;
  addMemberships(id: string, projects: string[]): Promise<void>;
  /** Deletes the stored Matrix credentials; gives the number deleted. */
  deleteCredentials(id: string): Promise<number>;
}
