import postgres from 'postgres';
import { OpsError } from '#domain/errors.ts';

export type DatabaseAddress = {
  host: string;
  port: number;
  database: string;
  user: string;
  /** Undefined: the server trusts the connection. */
  password: string | undefined;
};
export type Session = postgres.Sql;

/**
 * One connection for long work. No time-outs of the server's apply to it: a role's `statement_timeout` would end a count,
 * an `idle_in_transaction_session_timeout` the snapshot that a dump still reads.
 */
export function openSession(address: DatabaseAddress): Session {
  const { password, ...rest } = address;
  return postgres({
    ...rest,
    ...(password === undefined ? {} : { password }),
    max: 1,
    max_lifetime: null,
    connect_timeout: 10,
    prepare: false,
    fetch_types: false,
    onnotice: () => undefined,
    connection: {
      application_name: 'opsroom backup',
      statement_timeout: 0,
      idle_in_transaction_session_timeout: 0,
      row_security: 'off',
    },
  });
}

/** How long a statement may take that only asks for a few values: a server that is silent longer hangs. */
export const soonMs = 30_000;

/**
 * Runs one statement; an abort cancels it in the server too, so that it doesn't go on reading there. Neither waits for a
 * server that hangs: the answer to an abort comes at once, and `silentMs` ends a statement that should be quick.
 */
export async function ask<T extends object = object>(
  session: Session,
  text: string,
  signal?: AbortSignal,
  silentMs?: number,
): Promise<T[]> {
  signal?.throwIfAborted();
  const query = session.unsafe<T[]>(text);
  const stop = Promise.withResolvers<never>();
  const giveUp = (reason: unknown): void => {
    query.cancel();
    stop.reject(reason);
  };
  const abort = (): void => giveUp(signal?.reason);
  signal?.addEventListener('abort', abort, { once: true });
  const silent = new OpsError('unavailable', 'PostgreSQL took the connection and then said nothing.', {
    hint: 'Look at the server: does it hang, or is its disk full?',
  });
  const timer = silentMs === undefined ? undefined : setTimeout(() => giveUp(silent), silentMs);
  try {
    return [...(await Promise.race([query, stop.promise]))];
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
    // Given up, it may still fail later.
    query.catch(() => undefined);
  }
}

const notReached = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ECONNRESET',
  'ENOENT',
  'CONNECT_TIMEOUT',
]);
const brokenOff = new Set(['CONNECTION_CLOSED', 'CONNECTION_DESTROYED', 'CONNECTION_ENDED', '57P01', '57P02', '57P03']);

/** PostgreSQL's words for what went wrong, with what kind of trouble it is. Its messages carry no secrets. */
export function databaseError(error: unknown, address: DatabaseAddress): OpsError {
  if (error instanceof OpsError) return error;
  const where = `PostgreSQL at ${address.host}:${address.port}, database ${address.database}`;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const said = error instanceof Error ? error.message : String(error);
  if (notReached.has(code)) {
    return new OpsError('unavailable', `${where}: no connection (${code}).`, { cause: error, hint: 'Is it running?' });
  }
  if (brokenOff.has(code)) return new OpsError('unavailable', `${where}: the connection broke off.`, { cause: error });
  if (code === '28P01' || code === '28000') {
    return new OpsError('misconfigured', `${where}: the user ${address.user} was not let in.`, {
      cause: error,
      hint: 'Check user and password under postgres in the settings, and pg_hba.conf.',
    });
  }
  if (code === '3D000' || code === '42501')
    return new OpsError('misconfigured', `${where}: ${said}.`, { cause: error });
  return new OpsError('unavailable', `${where}: ${said}.`, { cause: error });
}

/** A table was dropped or changed between the snapshot and the dump: Synapse does that while it updates itself. */
export function tablesMoved(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const undefinedTable = 'code' in error && error.code === '42P01';
  return undefinedTable || /relation .* does not exist|could not open relation|cache lookup failed/.test(error.message);
}
