import { OpsError } from '#domain/errors.ts';
import { Faults } from './faults.ts';

/** What small test commands act on: it counts acts, can fail and can be made to wait. It outlives the house. */
export class World {
  readonly faults = new Faults<string>();
  /** Every act in the order in which it was done. */
  readonly done: string[] = [];
  /** What a `prepare` sees; a test moves it between question and answer. */
  version = 1;
  readonly #gates = new Map<string, PromiseWithResolvers<void>>();

  /** Makes the act of this name wait until `open`. */
  close(name: string): void {
    this.#gates.set(name, Promise.withResolvers());
  }

  /** Whoever waits at a gate now waits for good: their process is dead. */
  abandon(): void {
    for (const name of this.#gates.keys()) this.close(name);
  }

  open(name: string): void {
    this.#gates.get(name)?.resolve();
    this.#gates.delete(name);
  }

  async act(name: string, signal?: AbortSignal): Promise<string> {
    const gate = this.#gates.get(name);
    if (gate !== undefined) await Promise.race([gate.promise, stopped(signal)]);
    return this.faults.run(name, [], () => {
      this.done.push(name);
      return `${name} is done`;
    });
  }

  times(name: string): number {
    return this.done.filter((done) => done === name).length;
  }

  fail(
    name: string,
    message = `${name} does not work.`,
    options: { times?: number; when?: 'before' | 'after' } = {},
  ): void {
    const effect = options.when === 'after' ? 'unknown' : 'none';
    this.faults.fail(name, new OpsError('unavailable', message, { effect }), options);
  }
}

const stopped = (signal: AbortSignal | undefined): Promise<never> =>
  new Promise((_, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
