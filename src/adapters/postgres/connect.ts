import postgres from 'postgres';
import { OpsError } from '#domain/errors.ts';
import { failureOf } from './failures.ts';

export type DatabaseSettings =
  | { url: string }
  | { host: string; port: number; database: string; user: string; password: string };

export type Sql = postgres.TransactionSql;

const connectTimeoutS = 5;
const statementTimeoutMs = 10_000;
// The server ends a statement first; this is for a server, or a network, that says nothing at all.
const silenceTimeoutMs = connectTimeoutS * 1000 + 2 * statementTimeoutMs;

/** A small pool to one database. Connects at the first use, so that the database may be down when the bot starts. */
export class Database implements AsyncDisposable {
  readonly #name: string;
  readonly #sql: postgres.Sql;

  /** `name` says in errors which database it is: `the application's database`. */
  constructor(name: string, settings: DatabaseSettings) {
    this.#name = name;
    const options: postgres.Options<Record<string, never>> = {
      max: 2,
      connect_timeout: connectTimeoutS,
      idle_timeout: 60,
      // Each use after a failure tries at once; by default it would wait up to 20 s first.
      backoff: () => 0,
      // Types are asked for at each connection otherwise; texts and numbers are all that is read here.
      fetch_types: false,
      connection: { application_name: 'opsroom', statement_timeout: statementTimeoutMs },
      onnotice: () => undefined,
    };
    this.#sql =
      'url' in settings ? postgres(checkedUrl(settings.url, name), options) : postgres({ ...options, ...settings });
  }

  /** Reads. `doing` completes "Cannot …". */
  async read<T>(doing: string, work: (sql: Sql) => Promise<T>): Promise<T> {
    return this.#transaction('read only', doing, false, work);
  }

  /** Writes; all of it or nothing. */
  async write<T>(doing: string, work: (sql: Sql) => Promise<T>): Promise<T> {
    return this.#transaction('read write', doing, true, work);
  }

  async #transaction<T>(mode: string, doing: string, write: boolean, work: (sql: Sql) => Promise<T>): Promise<T> {
    const silence = Promise.withResolvers<never>();
    const timer = setTimeout(() => silence.reject(new Error('silent')), silenceTimeoutMs);
    try {
      const result: { value?: T } = {};
      const running = this.#sql.begin(mode, async (sql) => {
        result.value = await work(sql);
      });
      await Promise.race([running, silence.promise]);
      return result.value as T;
    } catch (error) {
      throw error instanceof OpsError ? error : failureOf(error, { doing, write, database: this.#name });
    } finally {
      clearTimeout(timer);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sql.end({ timeout: 2 });
  }
}

/** The parser's own error would repeat the address with its password. */
function checkedUrl(url: string, name: string): string {
  if (/^postgres(?:ql)?:$/.test(URL.parse(url)?.protocol ?? '')) return url;
  throw new OpsError(
    'misconfigured',
    `The address of ${name} is not like postgres://user:password@host:5432/database.`,
  );
}
