import type { Pause, Switches } from '#domain/bot.ts';
import type { Clock } from '#domain/clock.ts';
import type { Ledger } from '#domain/ledger.ts';

/** Switches that outlive a restart. */
export class Switchboard implements Switches {
  readonly #ledger: Ledger;
  readonly #clock: Clock;

  constructor(ledger: Ledger, clock: Clock) {
    this.#ledger = ledger;
    this.#clock = clock;
  }

  paused(): Pause | undefined {
    return this.#ledger.switch('paused') as Pause | undefined;
  }

  setPaused(pause: Pause | undefined): void {
    this.#ledger.commit({ at: this.#clock.now(), switches: [{ name: 'paused', value: pause }] });
  }
}
