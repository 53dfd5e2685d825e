import type { EpochMs } from '#domain/clock.ts';
import { asOpsError, OpsError } from '#domain/errors.ts';
import type { Batch } from '#domain/inbox.ts';
import type { Change, Ledger } from '#domain/ledger.ts';
import type { Closed } from '#domain/safe-mode.ts';
import type { Ballast } from './ballast.ts';
import type { SqliteLedger } from './ledger.ts';

export type SteadyLedger = Ledger & { onOutbox(wake: () => void): void };
type Call = (ledger: SqliteLedger) => unknown;
type Method = (...args: never[]) => unknown;

const retryMs = 5000;
const writes = new Set([
  'commit',
  'take',
  'noteAttempt',
  'settleOutbox',
  'hastenOutbox',
  'noteFallback',
  'trim',
  'unseal',
]);
// The spare holds what is live; the past is still in the file.
const fileOnly = new Set(['audit', 'auditAll', 'auditHead', 'auditSeals', 'begunSince', 'reserve']);
const spareOnly = new Set([
  'position',
  'roomFacts',
  'switch',
  'lockHolder',
  'newItems',
  'sealedItems',
  'sealedHeads',
  'inboxDepth',
]);

/** What only a full, unwritable or damaged file throws. */
export function isUnwritable(error: unknown): boolean {
  return /^SQLITE_(FULL|IOERR|READONLY|CANTOPEN|CORRUPT|NOTADB)/.test(codeOf(error));
}

/**
 * The ledger over a disk that may stop taking writes. Then a second one in memory serves reads and pages: what it was told
 * is told to the file again, in the same order, as soon as that takes writes. Changes, which have to be written down
 * before they are made, are refused meanwhile; the sync's position in the file doesn't move.
 */
export class Steady {
  readonly ledger: SteadyLedger;
  readonly #file: SqliteLedger | undefined;
  readonly #openSpare: () => SqliteLedger;
  readonly #ballast: Ballast;
  readonly #now: () => EpochMs;
  #spare: SqliteLedger | undefined;
  #journal: Call[] = [];
  #trouble: Closed | undefined;
  #lost = false;
  #onReserve = false;
  #durable = false;
  #triedAt = 0;
  #wake: () => void = () => {};
  /** Changes of these commands are pages and the like: they go on in memory. */
  #goesOn: (command: string) => boolean = () => false;
  readonly #spareRuns = new Set<number>();

  /** Without a file: in memory from the start, because of `lost`. */
  constructor(of: {
    file: SqliteLedger | undefined;
    openSpare: () => SqliteLedger;
    ballast: Ballast;
    now?: () => EpochMs;
    lost?: string;
  }) {
    this.#file = of.file;
    this.#openSpare = of.openSpare;
    this.#ballast = of.ballast;
    this.#now = of.now ?? Date.now;
    if (of.file === undefined) this.giveUp(of.lost ?? 'its memory cannot be opened');
    this.ledger = this.#steadied();
  }

  goesOn(command: (name: string) => boolean): void {
    this.#goesOn = command;
  }

  /** Why changes are refused; undefined while the file takes writes and the reserve is there. */
  closed(): Closed | undefined {
    return this.#trouble;
  }

  /** The file is not to be written any more, though it may let itself. */
  giveUp(why: string): void {
    this.#lost = true;
    this.#fallBack({ why, hint: 'Put back a copy of opsroom.db and restart the bot.' });
  }

  /** What it writes stands in the file when this returns; throws `unavailable` when that can't be. */
  durably(work: () => void): void {
    this.#durable = true;
    try {
      work();
    } finally {
      this.#durable = false;
    }
  }

  /** Called every second: goes back to the file when that takes writes again, and fills up the reserve. */
  tick(): void {
    const now = this.#now();
    if (now - this.#triedAt < retryMs || this.#lost) return;
    this.#triedAt = now;
    if (this.#spare !== undefined && !this.#comeBack(now)) return;
    // A disk on which the reserve never fitted isn't waited for.
    if (!this.#ballast.ensure() && this.#onReserve) return;
    this.#onReserve = false;
    this.#trouble = undefined;
  }

  #comeBack(now: EpochMs): boolean {
    const file = this.#file;
    if (file === undefined) return false;
    try {
      file.commit({ at: now, switches: [{ name: 'written-again', value: now }] });
      while (this.#journal.length > 0) {
        this.#retell(file, this.#journal[0]!);
        this.#journal.shift();
      }
    } catch (error) {
      if (!isUnwritable(error)) throw error;
      return false;
    }
    this.#spare = undefined;
    this.#spareRuns.clear();
    this.#wake();
    return true;
  }

  /** What the file refuses for another reason has been overtaken there. */
  #retell(file: SqliteLedger, call: Call): void {
    try {
      call(file);
    } catch (error) {
      if (isUnwritable(error) || asOpsError(error).kind !== 'conflict') throw error;
    }
  }

  #fallBack(trouble: Omit<Closed, 'since'>): void {
    this.#trouble = { since: this.#trouble?.since ?? this.#now(), ...trouble };
    if (this.#spare !== undefined) return;
    this.#spare = this.#openSpare();
    this.#spare.onOutbox(() => this.#wake());
  }

  #refusal(cause: unknown): OpsError {
    const why = this.#trouble?.why ?? 'the bot cannot write its own memory';
    return new OpsError('unavailable', `Nothing was done: ${why}.`, {
      hint: this.#trouble?.hint ?? 'Look at the disk under dataDir.',
      cause,
    });
  }

  #write(call: Call, mayWait: () => boolean): unknown {
    let failed: unknown;
    if (this.#spare === undefined && this.#file !== undefined) {
      const result = this.#onFile(this.#file, call);
      if ('value' in result) return result.value;
      failed = result.error;
      this.#fallBack(
        codeOf(failed) === 'SQLITE_FULL'
          ? { why: 'the disk under dataDir is full', hint: 'Make room there; the bot goes on by itself within 30 s.' }
          : {
              why: `the disk under dataDir takes no writes (${codeOf(failed)})`,
              hint: 'Look at the disk; the bot goes on by itself when it takes writes again.',
            },
      );
    }
    if (this.#durable || !mayWait()) throw this.#refusal(failed);
    const spare = this.#spare!;
    const result = call(spare);
    if (this.#file !== undefined) this.#journal.push(call);
    return result;
  }

  /** Tries it, and once more on the freed reserve. Throws what isn't the disk's fault. */
  #onFile(file: SqliteLedger, call: Call): { value: unknown } | { error: unknown } {
    try {
      return { value: call(file) };
    } catch (error) {
      if (!isUnwritable(error)) throw error;
      if (codeOf(error) !== 'SQLITE_FULL' || !this.#ballast.release()) return { error };
    }
    this.#onReserve = true;
    this.#trouble ??= {
      since: this.#now(),
      why: 'the disk under dataDir is full, and what is begun is finished on the reserve',
      hint: 'Make room there; the bot goes on by itself within 30 s.',
    };
    try {
      return { value: call(file) };
    } catch (error) {
      if (!isUnwritable(error)) throw error;
      return { error };
    }
  }

  /** Whether a change may be kept in memory until the disk is back: never what acts. */
  #mayWait(change: Change): boolean {
    const acts = [change.prompts, change.votes, change.holds, change.takenAway, change.seals];
    if (acts.some((rows) => rows !== undefined && rows.length > 0)) return false;
    const known = (run: number): boolean => this.#spareRuns.has(run);
    for (const run of change.runs ?? []) {
      if (!this.#goesOn(run.command) || (run.rev > 1 && !known(run.id))) return false;
      this.#spareRuns.add(run.id);
    }
    const touched = [
      ...(change.steps ?? []).map(({ run }) => run),
      ...(change.takeLocks ?? []).map(({ run }) => run),
      ...(change.releaseLocksOf ?? []),
    ];
    return touched.every(known);
  }

  #read(name: keyof Ledger, args: never[]): unknown {
    const of = (ledger: SqliteLedger): unknown => (ledger[name] as Method).apply(ledger, args);
    const file = this.#file;
    const spare = this.#spare;
    if (spare === undefined || (fileOnly.has(name) && file !== undefined)) return of(file!);
    const found = of(spare);
    const { open, unsaid } = (args[0] ?? {}) as { open?: boolean; unsaid?: boolean };
    // The spare alone knows what became of what is live.
    if (file === undefined || spareOnly.has(name) || (name === 'incidents' && (open || unsaid))) return found;
    if (name === 'runsBy' || name === 'incidents')
      return merged(
        found,
        this.#past(() => of(file)),
        args[0],
      );
    return found === undefined || (Array.isArray(found) && found.length === 0)
      ? (this.#past(() => of(file)) ?? found)
      : found;
  }

  /** What the file can't tell any more isn't known. */
  #past(read: () => unknown): unknown {
    try {
      return read();
    } catch (error) {
      if (isUnwritable(error)) return undefined;
      throw error;
    }
  }

  #steadied(): SteadyLedger {
    const call = (name: string, args: never[]): unknown => {
      if (name === 'onOutbox') {
        this.#wake = args[0] as unknown as () => void;
        this.#file?.onOutbox(() => this.#wake());
        return undefined;
      }
      if (!writes.has(name)) return this.#read(name as keyof Ledger, args);
      if (name === 'take')
        return this.#write(
          (to) => to.take(this.#unknown(args[0] as unknown as Batch)),
          () => true,
        );
      const mayWait = (): boolean => name !== 'commit' || this.#mayWait(args[0] as unknown as Change);
      return this.#write((to) => (to[name as keyof Ledger] as Method).apply(to, args), mayWait);
    };
    const target = this.#file ?? this.#spare;
    return new Proxy({} as SteadyLedger, {
      get: (set, name) => {
        if (typeof name !== 'string' || name in set) return Reflect.get(set, name) as unknown;
        return target && name in target ? (...args: never[]) => call(name, args) : undefined;
      },
    });
  }

  /** The batch without what the file has seen, which the spare doesn't know. */
  #unknown(batch: Batch): Batch {
    const file = this.#file;
    if (this.#spare === undefined || file === undefined) return batch;
    const isNew = (key: string): boolean => this.#past(() => file.takenAt(key)) === undefined;
    const fresh = <T extends { key: string }>(items: T[]): T[] => items.filter(({ key }) => isNew(key));
    return { ...batch, items: fresh(batch.items), ...(batch.sealed && { sealed: fresh(batch.sealed) }) };
  }
}

const codeOf = (error: unknown): string => {
  const { code, cause } = error as { code?: unknown; cause?: { code?: unknown } };
  return String(typeof code === 'string' && code.startsWith('SQLITE') ? code : cause?.code);
};

/** The live ones over the past ones, newest first, as they were asked for. */
function merged(live: unknown, past: unknown, filter: unknown): unknown {
  const rows = new Map<number, { id: number }>();
  for (const row of [...((past ?? []) as Array<{ id: number }>), ...(live as Array<{ id: number }>)])
    rows.set(row.id, row);
  const { limit = Infinity } = (filter ?? {}) as { limit?: number };
  return [...rows.values()].toSorted((a, b) => b.id - a.id).slice(0, limit);
}
