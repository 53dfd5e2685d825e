import { createPublicKey } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import Database from 'better-sqlite3';
import { findDamage, walkRecord } from './damage.ts';
import type { InspectJob } from './inspect.ts';
import { addRowSum } from './sums.ts';

// The entry of a thread: reads the file that the bot writes meanwhile, and ends.
const { file, what, origin, publicKey, notes } = workerData as InspectJob;
const db = new Database(file, { readonly: true, timeout: 5000 });
try {
  addRowSum(db);
  const witness = { key: { origin, publicKey: createPublicKey(publicKey) }, notes };
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  parentPort?.postMessage(what === 'record' ? walkRecord(db, witness) : findDamage(db, 'deep', witness));
} finally {
  db.close();
}
