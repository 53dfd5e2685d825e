import type { UserId } from '#domain/accounts.ts';
import type { Runs } from '#domain/bot.ts';
import type { Ledger } from '#domain/ledger.ts';
import { openRunStates, type Run, type Step } from '#domain/runs.ts';
import type { Runner } from './runner.ts';

/** Runs as commands see them. */
export class RunBook implements Runs {
  readonly #ledger: Ledger;
  readonly #runner: Runner;

  constructor(ledger: Ledger, runner: Runner) {
    this.#ledger = ledger;
    this.#runner = runner;
  }

  find(id: number): { run: Run; steps: Step[] } | undefined {
    const run = this.#ledger.run(id);
    return run && { run, steps: this.#ledger.steps(id) };
  }

  recent(filter: { limit: number; open?: boolean }): Run[] {
    return this.#ledger.runsBy({ limit: filter.limit, ...(filter.open ? { states: openRunStates } : {}) });
  }

  cancel(id: number, by: UserId): Run {
    return this.#runner.cancel(id, by);
  }
}
