import { quoteColumn, quoteTable } from './identifiers.ts';

/** Where the application keeps its people: `roster` in the settings. */
export type RosterTables = {
  users: {
    table: string;
    id: string;
    matrixId: string;
    status: string;
    /** The application's words for the three statuses. */
    active: string;
    suspended: string;
    onboarding: string;
  };
  memberships?: { table: string; user: string; project: string };
  credentials?: { table: string; user: string };
};

/** The same names, quoted: the only texts that are put into SQL. */
export type RosterNames = {
  users: { table: string; id: string; matrixId: string; status: string };
  memberships: { table: string; user: string; project: string } | undefined;
  credentials: { table: string; user: string } | undefined;
};

/** Throws `misconfigured`. */
export function namesOf({ users, memberships, credentials }: RosterTables): RosterNames {
  return {
    users: {
      table: quoteTable(users.table, 'roster.users.table'),
      id: quoteColumn(users.id, 'roster.users.id'),
      matrixId: quoteColumn(users.matrixId, 'roster.users.matrixId'),
      status: quoteColumn(users.status, 'roster.users.status'),
    },
    memberships: memberships && {
      table: quoteTable(memberships.table, 'roster.memberships.table'),
      user: quoteColumn(memberships.user, 'roster.memberships.user'),
      project: quoteColumn(memberships.project, 'roster.memberships.project'),
    },
    credentials: credentials && {
      table: quoteTable(credentials.table, 'roster.credentials.table'),
      user: quoteColumn(credentials.user, 'roster.credentials.user'),
    },
  };
}
