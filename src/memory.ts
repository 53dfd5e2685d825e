import { existsSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '#domain/clock.ts';
import { asOpsError, OpsError } from '#domain/errors.ts';
import type { Log } from '#domain/log.ts';
import type { Closed, SafeMode } from '#domain/safe-mode.ts';
import type { Scrubber } from '#domain/scrubber.ts';
import { type Damage, damageWords } from '#storage/damage.ts';
import { openStorage, type Storage } from '#storage/open.ts';
import { isUnwritable } from '#storage/steady.ts';
import { fixedPeople } from './fixed-people.ts';
import type { Settings } from './settings.ts';

// Up to this size every row is looked at before the bot starts, which takes 0.1 s; above it what it acts on next.
const smallBytes = 4 * 1024 * 1024;
const firstDeepMs = 300_000;
const deepEveryMs = 86_400_000;
// What was said and done is kept a quarter; runs and the audit for ever.
const keepMs = 90 * 86_400_000;
const forgetEveryMs = 6 * 3_600_000;

/** The bot's memory, and whether it can be trusted and written. */
export class Memory implements SafeMode, Disposable {
  readonly storage: Storage;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #place: Place;
  #damage: Closed | undefined;
  #gone: Closed | undefined;
  #deepAt: number;
  #forgetAt = 0;

  constructor(of: { storage: Storage; clock: Clock; log: Log; file: string }) {
    this.storage = of.storage;
    this.#clock = of.clock;
    this.#log = of.log;
    this.#place = new Place(of.file);
    const small = !existsSync(of.file) || statSync(of.file).size <= smallBytes;
    if (!this.closed()) this.#judge(of.storage.inspector.now(small ? 'all' : 'live'));
    this.#deepAt = of.clock.monotonicMs() + (small ? deepEveryMs : firstDeepMs);
  }

  closed(): Closed | undefined {
    return this.#damage ?? this.#gone ?? this.storage.steady.closed();
  }

  /** Called every second. */
  tick(): void {
    this.storage.steady.tick();
    this.#look();
    const now = this.#clock.monotonicMs();
    if (now >= this.#forgetAt && !this.closed()) {
      this.#forgetAt = now + forgetEveryMs;
      this.storage.ledger.trim(this.#clock.now() - keepMs);
    }
    if (now < this.#deepAt || this.#damage) return;
    this.#deepAt = now + deepEveryMs;
    this.storage.inspector.deep().then(
      (damage) => this.#judge(damage),
      (error: unknown) => this.#log.error({ why: asOpsError(error).message }, 'the memory could not be read through'),
    );
  }

  /** Files that somebody takes away take every write as before, and all of it is gone when this process ends. */
  #look(): void {
    const missing = this.#place.missing();
    if (missing === undefined) this.#gone = undefined;
    else if (this.#gone === undefined) {
      this.#gone = {
        since: this.#clock.now(),
        why: `${missing} is not there any more, so what is written now is lost when the bot ends`,
        hint: `Put back the very same file. If it was deleted: as long as the bot runs it is under /proc/${process.pid}/fd, to be copied from there before the bot is stopped.`,
      };
      this.#log.error({ missing }, 'the memory was moved or deleted: no changes are made');
    }
  }

  #judge(damage: Damage): void {
    const [worst, ...others] = damageWords(damage);
    if (worst === undefined) return;
    const more = others.length > 0 ? `, and ${others.length} more of it (the log has all)` : '';
    this.#damage = {
      since: this.#clock.now(),
      why: worst + more,
      hint: 'Put back a copy of opsroom.db, or move opsroom.db* and audit-heads away together to begin anew; then restart the bot.',
    };
    this.#log.error({ damage: [worst, ...others] }, 'the memory is not as it was written: no changes are made');
    if (damage.structure.length > 0) this.storage.steady.giveUp(worst);
  }

  [Symbol.dispose](): void {
    this.storage[Symbol.dispose]();
  }
}

/** Where the files of the memory were when they were opened. */
class Place {
  readonly #opened: Array<{ file: string; is: string }>;

  constructor(file: string) {
    this.#opened = [file, `${file}-wal`].flatMap((one) => {
      const is = identityOf(one);
      return is === undefined ? [] : [{ file: one, is }];
    });
  }

  /** One that isn't there any more, or is another file by now. */
  missing(): string | undefined {
    return this.#opened.find(({ file, is }) => identityOf(file) !== is)?.file;
  }
}

function identityOf(file: string): string | undefined {
  try {
    const { dev, ino } = statSync(file, { bigint: true });
    return `${dev} ${ino}`;
  } catch {
    return undefined;
  }
}

export type MemoryOptions = {
  settings: Pick<Settings, 'dataDir' | 'people'>;
  scrubber: Scrubber;
  clock: Clock;
  log: Log;
};

/**
 * Opens the memory. One that was there before and can't be opened any more is replaced by one that forgets: it serves
 * reads and pages, and nothing is changed. Throws `held`, and `misconfigured` when there never was one.
 */
export function openMemory({ settings, scrubber, clock, log }: MemoryOptions): Memory {
  const { dataDir } = settings;
  const people = fixedPeople(settings);
  const file = join(dataDir, 'opsroom.db');
  const now = (): number => clock.now();
  const open = (): Storage => openStorage({ file, people, scrubber, now });
  try {
    return new Memory({ storage: openOnReserve(open, dataDir), clock, log, file });
  } catch (error) {
    if (!(error instanceof OpsError) || !isUnwritable(error) || !existsSync(file)) throw error;
    log.error({ why: error.message }, 'the memory cannot be opened: reads and pages only');
    const storage = openStorage({ file: ':memory:', people, scrubber, now, lost: error.message.replace(/\.$/, '') });
    return new Memory({ storage, clock, log, file });
  }
}

/** A full disk gets one more try with its reserve freed. */
function openOnReserve(open: () => Storage, dataDir: string): Storage {
  try {
    return open();
  } catch (error) {
    const reserve = join(dataDir, 'ballast');
    if (!isUnwritable(error) || !existsSync(reserve)) throw error;
    rmSync(reserve, { force: true });
    return open();
  }
}
