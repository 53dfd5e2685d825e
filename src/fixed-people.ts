import type { Person } from '#domain/operators.ts';
import type { Settings } from './settings.ts';

/** Those whom the settings name: no command changes them. */
export const fixedPeople = (settings: Pick<Settings, 'people'>): Person[] =>
  settings.people.map((person) => ({
    ...person,
    fixed: true,
    addedBy: undefined,
    addedAt: undefined,
    shell: person.shell,
  }));
