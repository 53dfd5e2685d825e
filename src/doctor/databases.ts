import { Database } from '#adapters/postgres/connect.ts';
import { namesOf } from '#adapters/postgres/roster-tables.ts';
import { type DatabaseAddress, ask, databaseError, openSession } from '#adapters/postgres/session.ts';
import { findTool } from '#adapters/postgres/tools.ts';
import { scratchAddress } from '#adapters/postgres/verify-set.ts';
import { backedUpDatabase, rosterTables } from '../parts.ts';
import type { Settings } from '../settings.ts';
import { dependent, type Finding, type Look, off, shared, warning, well, wrong } from './finding.ts';

type Server = { version: string; major: number; databaseBytes: number; isSynapse: boolean; unreadable: number };
export type ServerKnown = () => Promise<Server>;

export function databaseLooks(settings: Settings): { looks: Look[]; server: ServerKnown } {
  const { roster, postgres, backups } = settings;
  const server = shared(() =>
    postgres === undefined ? Promise.reject(new Error('off')) : askServer(backedUpDatabase(postgres)),
  );
  const application: Look = {
    part: 'application',
    look: () => (roster ? applicationTables(roster) : Promise.resolve(off('roster is not set'))),
  };
  if (postgres === undefined) {
    return {
      looks: [application, { part: 'PostgreSQL', look: () => Promise.resolve(off('postgres is not set')) }],
      server,
    };
  }
  const database: Look = {
    part: 'PostgreSQL',
    async look() {
      const { version, isSynapse, unreadable } = await server();
      if (!isSynapse) return wrong(`${postgres.database} is not Synapse's database.`, 'Mend postgres.database.');
      if (unreadable === 0)
        return well(`${version} at ${postgres.host}:${postgres.port}, database ${postgres.database}`);
      const mend = `As a superuser: GRANT pg_read_all_data TO "${postgres.user}"; or use the role that owns them.`;
      return wrong(`${postgres.user} may not read ${unreadable} of the tables of ${postgres.database}.`, mend);
    },
  };
  if (backups === undefined) return { looks: [application, database], server };
  const { binDirectory } = postgres;
  const tools: Look = {
    part: 'backup tools',
    async look() {
      // Without the server its version isn't known; that there are any tools is worth knowing all the same.
      const major = await server().then(
        (known) => known.major,
        () => 0,
      );
      const [dump, restore] = await Promise.all(
        (['pg_dump', 'pg_restore'] as const).map((name) => findTool(name, major, binDirectory)),
      );
      const than = major === 0 ? 'the server could not be asked for its version' : `the server is ${major}`;
      return well(`pg_dump ${dump?.version}, pg_restore ${restore?.version}; ${than}`);
    },
  };
  const scratch: Look = {
    part: 'restore tests',
    async look() {
      if (backups.verify === 'never') return off('backups.verify is never, so no old backup is removed either');
      if (postgres.scratch === undefined) await dependent(server(), 'PostgreSQL cannot be asked');
      return mayCreate(scratchAddress({ postgres: backedUpDatabase(postgres) }));
    },
  };
  return { looks: [application, database, tools, scratch], server };
}

async function asked<T extends object>(address: DatabaseAddress, query: string): Promise<T> {
  const session = openSession(address);
  try {
    const [row] = await ask<T>(session, query);
    if (row === undefined) throw new Error('no row');
    return row;
  } catch (error) {
    throw databaseError(error, address);
  } finally {
    await session.end({ timeout: 1 }).catch(() => undefined);
  }
}

async function askServer(address: DatabaseAddress): Promise<Server> {
  const row = await asked<{ version: string; number: number; bytes: string; synapse: boolean; unreadable: number }>(
    address,
    `SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int AS number,
       pg_database_size(current_database()) AS bytes,
       to_regclass('public.event_json') IS NOT NULL AND to_regclass('public.schema_version') IS NOT NULL AS synapse,
       (SELECT count(*)::int FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'p', 'S') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
           AND NOT has_table_privilege(c.oid, 'SELECT')) AS unreadable`,
  );
  return {
    version: row.version.split(' ')[0] ?? '',
    major: Math.floor(row.number / 10_000),
    databaseBytes: Number(row.bytes),
    isSynapse: row.synapse,
    unreadable: row.unreadable,
  };
}

async function mayCreate(address: DatabaseAddress): Promise<Finding> {
  const query = 'SELECT (rolcreatedb OR rolsuper) AS may FROM pg_roles WHERE rolname = current_user';
  const { may } = await asked<{ may: boolean }>(address, query);
  if (may) return well(`${address.user} may create the scratch database`);
  return wrong(
    `${address.user} may not create the scratch database that a backup is verified in.`,
    `As a superuser: ALTER ROLE "${address.user}" CREATEDB; or set postgres.scratch to a role who may.`,
  );
}

/** Every table and column that is named, and whether what disable does to it is allowed. */
async function applicationTables(settings: NonNullable<Settings['roster']>): Promise<Finding> {
  const { users, memberships, credentials } = namesOf(rosterTables(settings));
  const wanted = [
    { key: 'users', table: users.table, columns: [users.id, users.matrixId, users.status], right: 'UPDATE' },
    ...(memberships
      ? [
          {
            key: 'memberships',
            table: memberships.table,
            columns: [memberships.user, memberships.project],
            right: 'DELETE',
          },
        ]
      : []),
    ...(credentials
      ? [{ key: 'credentials', table: credentials.table, columns: [credentials.user], right: 'DELETE' }]
      : []),
  ];
  await using database = new Database("the application's database", { url: settings.url.reveal() });
  const refused: string[] = [];
  for (const { key, table, columns, right } of wanted) {
    const doing = `read roster.${key} (${table}: ${columns.join(', ')})`;
    const may = await database.read(doing, async (sql) => {
      await sql.unsafe(`select ${columns.join(', ')} from ${table} limit 0`);
      const [row] = await sql.unsafe<Array<{ may: boolean }>>('select has_table_privilege($1, $2) as may', [
        table,
        right,
      ]);
      return row?.may === true;
    });
    if (!may) refused.push(`${right} ON ${table}`);
  }
  if (refused.length === 0)
    return well(`${wanted.length} ${wanted.length === 1 ? 'table' : 'tables'} with all columns`);
  const rights = refused.join(', ');
  return warning(`Its role lacks a right: ${rights}`, `In the application's database: GRANT ${rights} to that role.`);
}
