import type { UserId } from '#domain/accounts.ts';
import type { Clock } from '#domain/clock.ts';
import type { Hold, Ledger, TakenAway } from '#domain/ledger.ts';
import type { Takings as TakingsPort } from './ports.ts';

/** What was taken from people, and what is kept from them, in the ledger. */
export class Takings implements TakingsPort {
  readonly #ledger: Ledger;
  readonly #clock: Clock;
  readonly #site: string;

  constructor(ledger: Ledger, clock: Clock, site: string) {
    this.#ledger = ledger;
    this.#clock = clock;
    this.#site = site;
  }

  /** The first snapshot of a run stays: a repeated disable finds nothing left to remember. */
  remember(taken: TakenAway): void {
    this.#ledger.commit({ at: taken.at, takenAway: [taken] });
  }

  find(user: UserId): TakenAway | undefined {
    return this.#ledger.takenAway(this.#site, user);
  }

  returned(user: UserId): void {
    const at = this.#clock.now();
    for (let taken = this.find(user); taken !== undefined; taken = this.find(user)) {
      this.#ledger.commit({ at, takenAway: [{ ...taken, returnedAt: at }] });
    }
  }

  hold(hold: Hold): void {
    this.#ledger.commit({ at: this.#clock.now(), holds: [hold] });
  }

  release(user: UserId): void {
    const at = this.#clock.now();
    const holds = this.held().filter((hold) => hold.user === user);
    this.#ledger.commit({ at, holds: holds.map((hold) => ({ ...hold, endedAt: at })) });
  }

  held(): Hold[] {
    return this.#ledger.holds(this.#clock.now()).filter((hold) => hold.site === this.#site);
  }
}
