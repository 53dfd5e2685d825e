import type { UserId } from '#domain/accounts.ts';
import type { Asked, Runs } from '#domain/bot.ts';
import { OpsError } from '#domain/errors.ts';
import { openRunStates, type Run, runName } from '#domain/runs.ts';
import type { House } from './house.ts';
import { findRun, resumeRun } from './resume-run.ts';
import type { Runner } from './runner.ts';

/** Runs as commands see them. */
export class RunBook implements Runs {
  readonly #house: House;
  readonly #runner: Runner;

  constructor(house: House, runner: Runner) {
    this.#house = house;
    this.#runner = runner;
  }

  find(id: number): ReturnType<Runs['find']> {
    const run = this.#house.ledger.run(id);
    if (run === undefined) return undefined;
    const command = this.#house.catalogue.command(run.command);
    const declared = Object.entries(command?.kind === 'change' ? command.steps : {});
    const titles = Object.fromEntries(declared.map(([key, { title }]) => [key, title]));
    return { run, steps: this.#house.ledger.steps(id), titles };
  }

  recent(filter: { limit: number; open?: boolean }): Run[] {
    return this.#house.ledger.runsBy({ limit: filter.limit, ...(filter.open ? { states: openRunStates } : {}) });
  }

  cancel(id: number, by: UserId): Run {
    return this.#runner.cancel(id, by);
  }

  resume(id: number, asked: Asked): Run {
    return resumeRun(this.#house, id, asked);
  }

  abandon(id: number, by: UserId): Run {
    return this.#runner.abandon(id, by);
  }

  undoing(id: number): string {
    const run = findRun(this.#house, id);
    const command = this.#house.catalogue.command(run.command);
    const line = command?.kind === 'change' ? command.inverse?.(run.plan) : undefined;
    if (line === undefined) throw new OpsError('conflict', `!${run.command} cannot be undone.`);
    if (run.state !== 'done' && run.state !== 'partial') {
      const ended = ![...openRunStates, 'taken', 'interrupted'].includes(run.state);
      throw new OpsError(
        'conflict',
        `Run ${runName(id)} ${ended ? 'ended as' : 'is'} ${run.state}: there is nothing to undo${ended ? '' : ' yet'}.`,
        run.state === 'interrupted' ? { hint: `!run ${runName(id)} shows how far it came.` } : {},
      );
    }
    const undone = this.#house.ledger.runsBy({ undoOf: id, states: ['done'], limit: 1 })[0];
    if (undone) throw new OpsError('conflict', `Run ${runName(id)} was undone already, by ${runName(undone.id)}.`);
    return line;
  }
}
