import { parseUserId, type UserId } from '#domain/accounts.ts';
import { OpsError } from '#domain/errors.ts';
import type { Roster, RosterSnapshot, RosterStatus, RosterUser } from '#domain/roster.ts';
import { Database, type DatabaseSettings, type Sql } from './connect.ts';
import { type RosterNames, type RosterTables, namesOf } from './roster-tables.ts';

type Row = { id: string; matrix: string | null; status: string | null };

/** The owner's application, in its PostgreSQL database. */
export class PostgresRoster implements Roster, AsyncDisposable {
  readonly #database: Database;
  readonly #tables: RosterTables;
  readonly #names: RosterNames;

  constructor(settings: DatabaseSettings, tables: RosterTables) {
    this.#names = namesOf(tables);
    this.#tables = tables;
    this.#database = new Database("the application's database", settings);
  }

  async findByMatrix(user: UserId): Promise<RosterUser | undefined> {
    const { users } = this.#names;
    const rows = await this.#find(`find ${user}`, `${users.matrixId} = $1`, user);
    if (rows.length > 1) {
      throw new OpsError('conflict', `The application knows ${user} more than once.`, {
        hint: `Its accounts ${rows.map((row) => row.id).join(' and ')} name the same Matrix id: mend that there.`,
      });
    }
    return rows[0] && this.#toUser(rows[0]);
  }

  async findById(id: string): Promise<RosterUser | undefined> {
    const [row] = await this.#find(`find ${id}`, `${this.#names.users.id} = $1`, id).catch((error: unknown) => {
      // "abc" where ids are numbers or UUIDs: nobody's.
      if (error instanceof OpsError && error.kind === 'invalid') return [];
      throw error;
    });
    return row && this.#toUser(row);
  }

  async snapshot(id: string): Promise<RosterSnapshot> {
    const { users, memberships, credentials } = this.#names;
    return this.#database.read(`read what ${id} has`, async (sql) => {
      const [row] = await sql.unsafe(
        `select ${users.status}::text as status from ${users.table} where ${users.id} = $1`,
        [id],
      );
      if (row === undefined) throw unknownUser(id);
      const projects = memberships ? await projectsOf(sql, memberships, id) : [];
      const [stored] = credentials
        ? await sql.unsafe(`select count(*)::int as n from ${credentials.table} where ${credentials.user} = $1`, [id])
        : [];
      return { id, rawStatus: String(row['status'] ?? ''), projects, credentials: Number(stored?.['n'] ?? 0) };
    });
  }

  async setStatus(id: string, status: 'active' | 'suspended' | 'onboarding'): Promise<void> {
    const { users } = this.#names;
    const raw = this.#tables.users[status];
    const statement = `update ${users.table} set ${users.status} = $1 where ${users.id} = $2 returning ${users.status}::text as status`;
    await this.#database.write(`set the status of ${id} to ${raw}`, async (sql) => {
      const [row] = await sql.unsafe(statement, [raw, id]);
      if (row === undefined) throw unknownUser(id);
      if (row['status'] !== raw) {
        throw new OpsError('conflict', `The application's database made another status of ${raw} for ${id}.`);
      }
    });
  }

  async removeMemberships(id: string): Promise<number> {
    const { memberships } = this.#names;
    return memberships ? this.#deleteOf(id, memberships, `take ${id} out of the projects`) : 0;
  }

  async deleteCredentials(id: string): Promise<number> {
    const { credentials } = this.#names;
    return credentials ? this.#deleteOf(id, credentials, `delete the Matrix credentials of ${id}`) : 0;
  }

  async addMemberships(id: string, projects: string[]): Promise<void> {
    const { memberships } = this.#names;
    if (projects.length === 0) return;
    if (memberships === undefined)
      throw new OpsError('misconfigured', 'roster.memberships is not set: nothing was added.');
    const { table, user, project } = memberships;
    await this.#database.write(`add ${id} to projects`, async (sql) => {
      // Not every table forbids a second row, so what is there is left out here.
      const present = new Set(await projectsOf(sql, memberships, id));
      const insert = `insert into ${table} (${user}, ${project}) values ($1, $2) on conflict do nothing`;
      for (const missing of new Set(projects)) if (!present.has(missing)) await sql.unsafe(insert, [id, missing]);
    });
  }

  async #find(doing: string, where: string, value: string): Promise<Row[]> {
    const { table, id, matrixId, status } = this.#names.users;
    const columns = `${id}::text as id, ${matrixId}::text as matrix, ${status}::text as status`;
    return this.#database.read(doing, async (sql) =>
      Array.from(await sql.unsafe<Row[]>(`select ${columns} from ${table} where ${where} order by 1 limit 3`, [value])),
    );
  }

  async #deleteOf(id: string, from: { table: string; user: string }, doing: string): Promise<number> {
    return this.#database.write(doing, async (sql) => {
      const result = await sql.unsafe(`delete from ${from.table} where ${from.user} = $1`, [id]);
      return result.count;
    });
  }

  #toUser(row: Row): RosterUser | undefined {
    // Someone of the application without a Matrix account.
    if (row.matrix === null || row.matrix === '') return undefined;
    const rawStatus = row.status ?? '';
    return { id: row.id, user: matrixIdOf(row.id, row.matrix), status: this.#statusOf(rawStatus), rawStatus };
  }

  #statusOf(raw: string): RosterStatus {
    const { users } = this.#tables;
    const statuses = ['active', 'suspended', 'onboarding'] as const;
    return statuses.find((status) => users[status] === raw) ?? 'other';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#database[Symbol.asyncDispose]();
  }
}

function matrixIdOf(id: string, stored: string): UserId {
  try {
    return parseUserId(stored);
  } catch (cause) {
    throw new OpsError('conflict', `The application holds "${stored}" as the Matrix id of ${id}, which is none.`, {
      hint: 'Is roster.users.matrixId the right column? Else mend it in the application.',
      cause,
    });
  }
}

const unknownUser = (id: string): OpsError =>
  new OpsError('notFound', `The application knows nobody with the id ${id}. This step changed nothing.`);

async function projectsOf(sql: Sql, names: NonNullable<RosterNames['memberships']>, id: string): Promise<string[]> {
  const { table, user, project } = names;
  const rows = await sql.unsafe(`select ${project}::text as project from ${table} where ${user} = $1 order by 1`, [id]);
  return rows.map((row) => String(row['project']));
}
