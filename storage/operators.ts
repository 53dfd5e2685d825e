import type Database from 'better-sqlite3';
import type { UserId } from '#domain/accounts.ts';
import type { EpochMs } from '#domain/clock.ts';
import { OpsError } from '#domain/errors.ts';
import type { Operators, Person, Role } from '#domain/operators.ts';

type SqlOperator = { user: UserId; role: Role; added_by: UserId; added_at: number; confirmed_by: UserId | null };

/** The fixed people of the settings, and those who came by `!people`. */
export class SqliteOperators implements Operators {
  readonly #db: Database.Database;
  readonly #fixed: readonly Person[];

  constructor(db: Database.Database, fixed: readonly Person[]) {
    this.#db = db;
    this.#fixed = fixed;
  }

  find(user: UserId): Person | undefined {
    return this.list().find((person) => person.user === user || person.aka.includes(user));
  }

  list(): Person[] {
    const rows = this.#db
      .prepare(
        'SELECT "user", role, added_by, added_at, confirmed_by FROM operators WHERE gone_at IS NULL ORDER BY added_at',
      )
      .all() as SqlOperator[];
    const added = rows.map((row): Person => ({
      user: row.user,
      role: row.role,
      fixed: false,
      aka: [],
      shell: undefined,
      addedBy: row.added_by,
      addedAt: row.added_at,
      confirmedBy: row.confirmed_by ?? undefined,
    }));
    return [...this.#fixed, ...added.filter((person) => !this.#isFixed(person.user))];
  }

  #isFixed(user: UserId): boolean {
    return this.#fixed.some((fixed) => fixed.user === user || fixed.aka.includes(user));
  }

  add(person: { user: UserId; role: Role; addedBy: UserId; at: EpochMs; confirmedBy?: UserId | undefined }): void {
    if (this.#isFixed(person.user)) {
      throw new OpsError('conflict', `${person.user} is fixed in the settings file; change the role there.`);
    }
    this.#db.transaction(() => {
      this.remove(person.user, person.at);
      this.#db
        .prepare('INSERT INTO operators ("user", role, added_by, added_at, confirmed_by) VALUES (?, ?, ?, ?, ?)')
        .run(person.user, person.role, person.addedBy, person.at, person.confirmedBy ?? null);
    })();
  }

  confirm(user: UserId, by: UserId): void {
    this.#db.prepare('UPDATE operators SET confirmed_by = ? WHERE "user" = ? AND gone_at IS NULL').run(by, user);
  }

  remove(user: UserId, at: EpochMs): void {
    if (this.#isFixed(user)) {
      throw new OpsError('conflict', `${user} is fixed in the settings file; remove them there.`);
    }
    this.#db.prepare('UPDATE operators SET gone_at = ? WHERE "user" = ? AND gone_at IS NULL').run(at, user);
  }
}
