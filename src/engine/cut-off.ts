import type { EpochMs } from '#domain/clock.ts';
import type { NamedCheck } from './check.ts';
import { isBlank, type Round } from './round.ts';

// A check that is asked once an hour says nothing of the last minutes.
const frequentMs = 120_000;
const lastsMs = 60_000;

/** Nothing answers over the network, in two parts of the house or more: then the trouble is here, and is one. */
export class CutOff {
  readonly #checks: readonly NamedCheck[];
  readonly #roundOf: (check: string) => Round | undefined;
  readonly #possible: boolean;
  #since: EpochMs | undefined;

  constructor(checks: readonly NamedCheck[], roundOf: (check: string) => Round | undefined) {
    this.#checks = checks.filter((check) => !check.local && check.everyMs <= frequentMs);
    this.#roundOf = roundOf;
    this.#possible = new Set(this.#checks.map((check) => check.part)).size >= 2;
  }

  /** `due`: it has lasted. `ended`: it was so until now. */
  after(at: EpochMs): { cut: boolean; due: boolean; ended: boolean; what: string } {
    const rounds = this.#checks.map((check) => this.#roundOf(check.name));
    const cut = this.#possible && rounds.every((round) => round !== undefined && isBlank(round));
    const ended = !cut && this.#since !== undefined;
    this.#since = cut ? (this.#since ?? at) : undefined;
    const what = [...new Set(this.#checks.map((check) => check.part))].join(', ');
    return { cut, due: this.#since !== undefined && at - this.#since >= lastsMs, ended, what };
  }
}
