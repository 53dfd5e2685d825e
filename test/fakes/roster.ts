import type { UserId } from '#domain/accounts.ts';
import { OpsError } from '#domain/errors.ts';
import type { Roster, RosterSnapshot, RosterStatus, RosterUser } from '#domain/roster.ts';
import { Faults } from './faults.ts';

type Stored = { id: string; user: UserId; rawStatus: string; projects: Set<string>; credentials: number };

const rawOf = { active: 'ACTIVE', suspended: 'SUSPENDED', onboarding: 'ONBOARDING' } as const;

/** The owner's application in memory. */
export class FakeRoster implements Roster {
  readonly faults = new Faults<keyof Roster>();
  readonly #people = new Map<string, Stored>();

  add(person: { id: string; user: UserId; rawStatus?: string; projects?: string[]; credentials?: number }): void {
    const { id, user, rawStatus = rawOf.active, projects = [], credentials = 0 } = person;
    this.#people.set(id, { id, user, rawStatus, projects: new Set(projects), credentials });
  }

  findByMatrix(user: UserId): Promise<RosterUser | undefined> {
    return this.faults.run('findByMatrix', [user], () => {
      const found = [...this.#people.values()].filter((person) => person.user === user);
      if (found.length > 1) throw new OpsError('conflict', `The application knows ${user} more than once.`);
      return found[0] && toUser(found[0]);
    });
  }

  findById(id: string): Promise<RosterUser | undefined> {
    return this.faults.run('findById', [id], () => {
      const person = this.#people.get(id);
      return person && toUser(person);
    });
  }

  snapshot(id: string): Promise<RosterSnapshot> {
    return this.faults.run('snapshot', [id], () => {
      const { rawStatus, projects, credentials } = this.#get(id);
      return { id, rawStatus, projects: [...projects].toSorted(), credentials };
    });
  }

  setStatus(id: string, status: 'active' | 'suspended' | 'onboarding'): Promise<void> {
    return this.faults.run('setStatus', [id, status], () => {
      this.#get(id).rawStatus = rawOf[status];
    });
  }

  removeMemberships(id: string): Promise<number> {
    return this.faults.run('removeMemberships', [id], () => {
      const projects = this.#people.get(id)?.projects ?? new Set();
      const removed = projects.size;
      projects.clear();
      return removed;
    });
  }

  addMemberships(id: string, projects: string[]): Promise<void> {
    return this.faults.run('addMemberships', [id, projects], () => {
      for (const project of projects) this.#get(id).projects.add(project);
    });
  }

  deleteCredentials(id: string): Promise<number> {
    return this.faults.run('deleteCredentials', [id], () => {
      const person = this.#people.get(id);
      const deleted = person?.credentials ?? 0;
      if (person !== undefined) person.credentials = 0;
      return deleted;
    });
  }

  #get(id: string): Stored {
    const person = this.#people.get(id);
    if (person === undefined) throw new OpsError('notFound', `The application knows nobody with the id ${id}.`);
    return person;
  }
}

function toUser({ id, user, rawStatus }: Stored): RosterUser {
  const statuses = ['active', 'suspended', 'onboarding'] as const;
  const status: RosterStatus = statuses.find((known) => rawOf[known] === rawStatus) ?? 'other';
  return { id, user, status, rawStatus };
}
