import { readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import type { EpochMs } from '#domain/clock.ts';
import { OpsError } from '#domain/errors.ts';

/**
 * One process at a time has the memory: a tiny database beside it is held under `BEGIN EXCLUSIVE`, so the lock ends with
 * the process, and the main file stays readable by others. Throws `held`, and says who holds it.
 */
export function holdLock(directory: string, since?: EpochMs): Database.Database {
  const lock = new Database(join(directory, 'instance.lock'), { timeout: 0 });
  try {
    lock.exec('BEGIN EXCLUSIVE; CREATE TABLE IF NOT EXISTS holder (pid INTEGER)');
  } catch (error) {
    lock.close();
    if ((error as { code?: string }).code !== 'SQLITE_BUSY') throw error;
    throw new OpsError('held', `Another Opsroom is running on ${directory}${holderOf(directory)}.`, {
      hint: 'Stop that one first, or give this one a dataDir of its own.',
      cause: error,
    });
  }
  try {
    const begun = since === undefined ? '' : `, since ${new Date(since).toISOString()}`;
    writeFileSync(noteIn(directory), `process ${process.pid} on ${hostname()}${begun}\n`, { mode: 0o600 });
  } catch {
    // A full disk: the lock holds without a note of who has it.
  }
  return lock;
}

// Apart: nobody can read the locked file.
const noteIn = (directory: string): string => join(directory, 'instance.holder');

function holderOf(directory: string): string {
  try {
    const [line = ''] = readFileSync(noteIn(directory), 'utf8').split('\n');
    return line === '' ? '' : `: ${line.slice(0, 200)}`;
  } catch {
    return '';
  }
}
