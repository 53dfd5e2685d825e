import type { Clock } from '#domain/clock.ts';
import { asOpsError, OpsError } from '#domain/errors.ts';
import type { Ledger } from '#domain/ledger.ts';
import type { Log } from '#domain/log.ts';
import type { Tenure, TenureRecord } from '#domain/tenure.ts';

// Two copies act beside each other for at most so long, and a slow answer.
const lookEveryMs = 20_000;
const renewEveryMs = 5 * 60_000;
/** A holder that wasn't seen for so long is gone: whoever lost to it may come back. */
const goneAfterMs = 15 * 60_000;

const name = 'tenure';
type Memory = { epoch: number; holder: string; lostTo: string | null };

export type TenureOptions = {
  record: TenureRecord;
  ledger: Ledger;
  clock: Clock;
  log: Log;
  /** Random, of this process. */
  holder: string;
  host: string;
};

/**
 * One copy of the bot acts. The lock file sees to that on one machine; a copy of the memory on another machine is seen
 * here: each start takes the next epoch in the bot's own account, and who holds an older one stops.
 */
export class TenureKeeper {
  readonly #options: TenureOptions;
  #mine: Tenure | undefined;

  constructor(options: TenureOptions) {
    this.#options = options;
  }

  /** Until another copy took over, which is told as `held`, or the signal is aborted. */
  async run(signal: AbortSignal): Promise<OpsError | undefined> {
    const { clock, log } = this.#options;
    while (!signal.aborted) {
      try {
        const lost = await this.once();
        if (lost !== undefined) return lost;
      } catch (error) {
        log.warn({ why: asOpsError(error).message }, 'it cannot be seen whether another copy of the bot is running');
      }
      await clock.sleep(lookEveryMs, signal).catch(() => {});
    }
    return undefined;
  }

  /** Looks, and takes or keeps the tenure; gives why it is lost. */
  async once(): Promise<OpsError | undefined> {
    const { record, clock, ledger, log } = this.#options;
    const seen = await record.read();
    const mine = this.#mine;
    if (mine === undefined) return this.#take(seen);
    if (seen?.holder === mine.holder) {
      if (clock.now() - seen.at >= renewEveryMs) await this.#write(mine);
      return undefined;
    }
    if (seen === undefined || seen.epoch < mine.epoch) {
      await this.#write(mine);
      return undefined;
    }
    const value: Memory = { epoch: mine.epoch, holder: mine.holder, lostTo: seen.holder };
    try {
      ledger.commit({ at: clock.now(), switches: [{ name, value }] });
    } catch (error) {
      // Lost all the same: a memory that can't be written is no reason to act on.
      log.error({ why: asOpsError(error).message }, 'it cannot be remembered that another copy of the bot took over');
    }
    return this.#lost(seen);
  }

  async #take(seen: Tenure | undefined): Promise<OpsError | undefined> {
    const { ledger, clock, holder, host, log } = this.#options;
    const known = ledger.switch(name) as Memory | undefined;
    const isAlive = seen !== undefined && clock.now() - seen.at < goneAfterMs;
    if (isAlive && seen.holder === known?.lostTo) return this.#lost(seen);
    const epoch = Math.max(seen?.epoch ?? 0, known?.epoch ?? 0) + 1;
    const mine = { epoch, holder, host, at: clock.now() };
    // Remembered first: what is written down there must never be newer than what is known here to be this process's.
    const value: Memory = { epoch, holder, lostTo: null };
    ledger.commit({ at: mine.at, switches: [{ name, value }] });
    await this.#write(mine);
    if (isAlive && seen.holder !== known?.holder) {
      log.warn({ host: seen.host, epoch }, 'another copy of the bot was running; this one takes over');
    }
    return undefined;
  }

  async #write(tenure: Tenure): Promise<void> {
    const mine = { ...tenure, at: this.#options.clock.now() };
    await this.#options.record.write(mine);
    this.#mine = mine;
  }

  #lost(to: Tenure): OpsError {
    return new OpsError('held', `Another copy of this bot took over on ${to.host}; this one stops.`, {
      hint: 'One account is one bot. To run it here again, stop the other one and wait a quarter of an hour, or give this one an account of its own.',
    });
  }
}
