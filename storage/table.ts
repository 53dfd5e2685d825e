import type Database from 'better-sqlite3';
import { canonicalJson } from '#domain/canonical.ts';

type Kind = 'plain' | 'json' | 'bool';
export type Columns<T> = { [K in keyof T]-?: Kind };
type SqlRow = Record<string, unknown>;

const columnName = (property: string): string => property.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** A domain type as rows of one table: properties are columns in snake case, `undefined` is NULL. */
export class Table<T extends object> {
  readonly #db: Database.Database;
  readonly #name: string;
  readonly #columns: Array<{ property: string; column: string; kind: Kind }>;
  readonly #statements = new Map<string, Database.Statement>();

  constructor(db: Database.Database, name: string, columns: Columns<T>) {
    this.#db = db;
    this.#name = name;
    this.#columns = Object.entries<Kind>(columns).map(([property, kind]) => ({
      property,
      column: columnName(property),
      kind,
    }));
  }

  #prepare(sql: string): Database.Statement {
    let statement = this.#statements.get(sql);
    if (!statement) this.#statements.set(sql, (statement = this.#db.prepare(sql)));
    return statement;
  }

  toRow(value: T): SqlRow {
    const row: SqlRow = {};
    for (const { property, column, kind } of this.#columns) {
      const cell = (value as SqlRow)[property];
      if (kind === 'bool') row[column] = cell ? 1 : 0;
      else if (cell === undefined) row[column] = null;
      else row[column] = kind === 'json' ? canonicalJson(cell) : cell;
    }
    return row;
  }

  fromRow(row: SqlRow): T {
    const value: SqlRow = {};
    for (const { property, column, kind } of this.#columns) {
      const cell = row[column];
      if (kind === 'bool') value[property] = cell === 1;
      else if (cell === null) value[property] = undefined;
      else value[property] = kind === 'json' ? JSON.parse(cell as string) : cell;
    }
    return value as T;
  }

  #insertSql(verb: string): string {
    const names = this.#columns.map(({ column }) => `"${column}"`).join(', ');
    const values = this.#columns.map(({ column }) => `@${column}`).join(', ');
    return `${verb} INTO "${this.#name}" (${names}) VALUES (${values})`;
  }

  insert(value: T): void {
    this.#prepare(this.#insertSql('INSERT')).run(this.toRow(value));
  }

  /** Inserts, or overwrites the row with the same primary key. */
  put(value: T): void {
    this.#prepare(this.#insertSql('INSERT OR REPLACE')).run(this.toRow(value));
  }

  /** Inserts when its unique keys are new; true when it was. */
  insertNew(value: T): boolean {
    return this.#prepare(this.#insertSql('INSERT OR IGNORE')).run(this.toRow(value)).changes === 1;
  }

  /** Writes revision `rev` over `rev - 1`; false when that isn't what is stored. */
  advance(value: T & { id: number; rev: number }): boolean {
    if (value.rev === 1) {
      this.insert(value);
      return true;
    }
    const set = this.#columns.map(({ column }) => `"${column}" = @${column}`).join(', ');
    const sql = `UPDATE "${this.#name}" SET ${set} WHERE id = @id AND rev = @rev - 1`;
    return this.#prepare(sql).run(this.toRow(value)).changes === 1;
  }

  first(tail: string, ...parameters: unknown[]): T | undefined {
    const row = this.#prepare(`SELECT * FROM "${this.#name}" ${tail}`).get(...parameters);
    return row === undefined ? undefined : this.fromRow(row as SqlRow);
  }

  all(tail: string, ...parameters: unknown[]): T[] {
    return this.#prepare(`SELECT * FROM "${this.#name}" ${tail}`)
      .all(...parameters)
      .map((row) => this.fromRow(row as SqlRow));
  }
}
