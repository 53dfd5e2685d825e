import postgres from 'postgres';
import type { Clock } from '#domain/clock.ts';
import { OpsError } from '#domain/errors.ts';
import type { DatabaseReading, DatabaseStats } from '#domain/probes.ts';

export type StatsOptions = {
  host: string;
  port: number;
  database: string;
  user: string;
  password?: string;
  clock: Clock;
};

// 57P03: starting, stopping or in recovery; 53300: no connection left. Both are answers: the server is there.
const down = new Set(['ECONNREFUSED', 'ENOENT', '57P03', '57P01', '53300']);
const words: Record<string, string> = {
  ECONNREFUSED: 'connection refused',
  ENOENT: 'its socket is gone',
  '57P03': 'it is starting or stopping',
  '57P01': 'it is stopping',
  '53300': 'no connection is left',
};

type Row = { connections: number; maxConnections: number; databaseBytes: string };

/** Asks PostgreSQL of its state over one connection, closed after idling: a bot must not use up what it watches. */
export class PostgresStats implements DatabaseStats, AsyncDisposable {
  readonly #sql: postgres.Sql;
  readonly #clock: Clock;

  constructor({ host, port, database, user, password, clock }: StatsOptions) {
    this.#clock = clock;
    this.#sql = postgres({
      ...(host.startsWith('/') ? { path: `${host}/.s.PGSQL.${port}` } : { host, port }),
      database,
      username: user,
      ...(password === undefined ? {} : { password }),
      max: 1,
      idle_timeout: 120,
      connect_timeout: 5,
      onnotice: () => undefined,
      connection: { application_name: 'opsroom', statement_timeout: 10_000 },
    });
  }

  async read(signal: AbortSignal): Promise<DatabaseReading> {
    try {
      // The first call after idling connects; what queries wait for is the second.
      await this.#cancellable(this.#sql`SELECT 1`, signal);
      const start = this.#clock.monotonicMs();
      await this.#cancellable(this.#sql`SELECT 1`, signal);
      const tookMs = this.#clock.monotonicMs() - start;
      // pg_stat_database counts the connections of all roles; pg_stat_activity hides much of others' from a plain role.
      const [row] = await this.#cancellable(
        this.#sql<Row[]>`SELECT
          (SELECT sum(numbackends)::int FROM pg_stat_database) AS "connections",
          current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
            AS "maxConnections",
          pg_database_size(current_database())::text AS "databaseBytes"`,
        signal,
      );
      if (row === undefined) throw new OpsError('unavailable', 'PostgreSQL gives no statistics.');
      return { kind: 'answered', tookMs, ...row, databaseBytes: Number(row.databaseBytes) };
    } catch (error) {
      return this.#failed(error);
    }
  }

  #failed(error: unknown): DatabaseReading {
    if (error instanceof OpsError) throw error;
    const code = codeOf(error);
    if (down.has(code)) return { kind: 'refused', why: words[code] ?? code };
    // 28xxx: password or pg_hba; 3D000: no such database.
    if (code.startsWith('28') || code === '3D000') {
      throw new OpsError('misconfigured', `PostgreSQL refuses the bot's login (${code}).`, {
        hint: 'Look at postgres.user, password and database in the settings.',
        cause: error,
      });
    }
    throw new OpsError('unavailable', `PostgreSQL gives no answer (${code || 'no reason given'}).`, { cause: error });
  }

  /** A query that outlives its check is cancelled in the server too, not only forgotten. */
  async #cancellable<T>(
    query: postgres.PendingQuery<T & readonly (postgres.Row | undefined)[]>,
    signal: AbortSignal,
  ): Promise<T> {
    const cancel = () => query.cancel();
    signal.addEventListener('abort', cancel, { once: true });
    try {
      return (await query) as T;
    } finally {
      signal.removeEventListener('abort', cancel);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sql.end({ timeout: 1 });
  }
}

function codeOf(error: unknown): string {
  if (error instanceof AggregateError) return codeOf(error.errors[0]);
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
