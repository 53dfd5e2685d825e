import type Database from 'better-sqlite3';

/**
 * A commit that doesn't wait for the disk (1 to 10 ms). It survives the process; a power cut may take it back, with
 * nothing kept that came after it, since the next commit that does wait brings all before it to the disk as well. For
 * what is then simply met again.
 */
export function unsynced<T>(db: Database.Database, write: () => T): T {
  db.pragma('synchronous = NORMAL');
  try {
    return write();
  } finally {
    db.pragma('synchronous = FULL');
  }
}
