import { randomBytes } from 'node:crypto';
import { OpsError } from '#domain/errors.ts';
import { type DatabaseAddress, type Session, ask, databaseError, openSession } from './session.ts';

/** Where copies are restored to be counted: by default the server itself; on a large site rather another one. */
export type ScratchSettings = {
  host?: string;
  port?: number;
  /** May create databases. */
  user?: string;
  password?: string;
  /** Every copy's name begins with it; whatever begins with it and isn't in use is dropped. */
  prefix?: string;
  /** The database to be connected to while others are made and dropped. */
  maintenance?: string;
};

/** Runs `use` with a new, empty UTF8 database of the locale C, and drops it whatever happens. */
export async function withScratchDatabase<T>(
  admin: DatabaseAddress,
  prefix: string,
  signal: AbortSignal,
  use: (scratch: DatabaseAddress) => Promise<T>,
): Promise<T> {
  const name = `${prefix}${randomBytes(6).toString('hex')}`;
  const session = openSession(admin);
  try {
    await prepare(session, prefix, name, signal, admin);
    try {
      return await use({ ...admin, database: name });
    } finally {
      await drop(session, name);
    }
  } finally {
    await session.end({ timeout: 2 });
  }
}

async function prepare(
  session: Session,
  prefix: string,
  name: string,
  signal: AbortSignal,
  admin: DatabaseAddress,
): Promise<void> {
  try {
    await dropStale(session, prefix, signal);
    await hold(session, name);
    // Without the provider a server whose default is ICU would make an ICU database, which Synapse doesn't take.
    const [server] = await ask<{ version: number }>(
      session,
      "SELECT current_setting('server_version_num')::int AS version",
      signal,
    );
    const provider = (server?.version ?? 0) >= 150_000 ? 'LOCALE_PROVIDER libc' : '';
    await ask(
      session,
      `CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C' ${provider}`,
      signal,
    );
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof Error && 'code' in error && error.code === '42501') {
      throw new OpsError(
        'misconfigured',
        `${admin.user} may not create the scratch database that a backup is verified in.`,
        {
          cause: error,
          hint: `As a PostgreSQL superuser: ALTER ROLE "${admin.user}" CREATEDB; or set postgres.scratch to a user who may.`,
        },
      );
    }
    throw databaseError(error, admin);
  }
}

// The lock says "in use": it belongs to the session, so it goes with its process however that ends.
/** A drop waits for the checkpoint of the server; one that takes longer hangs, and the next backup tidies up. */
const dropMs = 60_000;
const lockKey = (name: string): string => `hashtextextended('opsroom scratch ${name}', 0)`;
const hold = (session: Session, name: string): Promise<object[]> =>
  ask(session, `SELECT pg_advisory_lock(${lockKey(name)})`);

async function dropStale(session: Session, prefix: string, signal: AbortSignal): Promise<void> {
  const copies = await ask<{ name: string }>(
    session,
    `SELECT datname AS name FROM pg_database WHERE starts_with(datname, '${prefix}')`,
    signal,
  );
  for (const { name } of copies.filter((copy) => /^[a-z0-9_]+$/.test(copy.name))) {
    const [lock] = await ask<{ free: boolean }>(
      session,
      `SELECT pg_try_advisory_lock(${lockKey(name)}) AS free`,
      signal,
    );
    if (lock?.free !== true) continue;
    // One that belongs to someone else can't be dropped, and isn't in the way.
    await drop(session, name).catch(() => undefined);
    await ask(session, `SELECT pg_advisory_unlock(${lockKey(name)})`, signal);
  }
}

/** FORCE ends what is still restoring after a cancel. Never aborted: it is the cleaning up. */
const drop = (session: Session, name: string): Promise<object[]> =>
  ask(session, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`, undefined, dropMs);
