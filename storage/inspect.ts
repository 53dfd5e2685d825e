import { Worker } from 'node:worker_threads';
import type Database from 'better-sqlite3';
import type { AuditVerdict } from '#domain/audit.ts';
import { OpsError } from '#domain/errors.ts';
import { type Damage, findDamage, type Scope, walkRecord, type Witness } from './damage.ts';

export type InspectJob = {
  file: string;
  what: 'record' | 'deep';
  origin: string;
  publicKey: string;
  notes: readonly string[];
};

/** Looks whether the memory is as it was written: at once what is small, apart from the loop what takes seconds. */
export class Inspector {
  readonly #db: Database.Database;
  readonly #file: string;
  readonly #witness: () => Witness;

  constructor(db: Database.Database, file: string, witness: () => Witness) {
    this.#db = db;
    this.#file = file;
    this.#witness = witness;
  }

  now(scope: Scope): Damage {
    return findDamage(this.#db, scope, this.#witness());
  }

  /** Every row, every index and the whole record. */
  async deep(): Promise<Damage> {
    if (this.#file === ':memory:') return this.now('deep');
    return (await this.#apart('deep')) as Damage;
  }

  async record(): Promise<AuditVerdict> {
    if (this.#file === ':memory:') return walkRecord(this.#db, this.#witness());
    return (await this.#apart('record')) as AuditVerdict;
  }

  #apart(what: InspectJob['what']): Promise<unknown> {
    const { key, notes } = this.#witness();
    const publicKey = key.publicKey.export({ type: 'spki', format: 'pem' });
    const workerData: InspectJob = { file: this.#file, what, origin: key.origin, publicKey, notes };
    const thread = new Worker(new URL('./inspect-thread.ts', import.meta.url), { workerData });
    // Ended, it holds the file open no more.
    return new Promise((resolve, reject) => {
      let found: unknown;
      let cause: unknown;
      thread.once('message', (message) => (found = message));
      thread.once('error', (error) => (cause = error));
      thread.once('exit', () => {
        if (found === undefined)
          reject(new OpsError('unavailable', "The bot's memory could not be read through.", { cause }));
        else resolve(found);
      });
    });
  }
}
