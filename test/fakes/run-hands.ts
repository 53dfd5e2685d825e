import type { UserId } from '#domain/accounts.ts';
import { asOpsError } from '#domain/errors.ts';
import type { Line } from '#domain/messages.ts';
import type { EachResult, RunHands } from '#engine/command.ts';

/** The hands of `apply` without a ledger: does each step once and writes down what was done. */
export class FakeRunHands<S extends string = string> implements RunHands<S> {
  readonly id = 1;
  readonly actor = '@alice:example.org' as UserId;
  readonly approver = undefined;
  readonly signal: AbortSignal;
  /** `make done`, `verify failed`, `verify skipped: why`. */
  readonly log: string[] = [];
  readonly said: Line[] = [];
  readonly offers: Array<{ text: string; command: string }> = [];
  readonly progressed: Array<[number, number | undefined, string | undefined]> = [];
  readonly failures: string[] = [];
  /** What steps kept before a crash: these aren't done again. */
  readonly #kept: Map<string, unknown>;

  constructor(options: { signal?: AbortSignal; kept?: Record<string, unknown> } = {}) {
    this.signal = options.signal ?? new AbortController().signal;
    this.#kept = new Map(Object.entries(options.kept ?? {}));
  }

  async step<T>(key: S, act: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (this.#kept.has(key)) return this.#kept.get(key) as T;
    try {
      const result = await act(this.signal);
      this.log.push(`${key} done`);
      // What a step keeps comes back as JSON.
      return result === undefined ? result : (JSON.parse(JSON.stringify(result)) as T);
    } catch (error) {
      this.log.push(`${key} failed`);
      throw error;
    }
  }

  async attempt<T>(key: S, act: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
    try {
      return await this.step(key, act);
    } catch (error) {
      const ops = asOpsError(error);
      if (ops.kind === 'cancelled' || ops.kind === 'internal') throw ops;
      this.failures.push(ops.message);
      return undefined;
    }
  }

  async each<T>(
    key: S,
    items: readonly T[],
    act: (item: T, signal: AbortSignal) => Promise<void>,
  ): Promise<EachResult<T>> {
    const failed: Array<{ item: T; why: string }> = [];
    for (const item of items) {
      await act(item, this.signal).catch((error: unknown) => failed.push({ item, why: asOpsError(error).message }));
    }
    this.log.push(`${key} ${items.length - failed.length} of ${items.length}`);
    return { failed };
  }

  skip(key: S, why: string): void {
    this.log.push(`${key} skipped: ${why}`);
  }

  progress(done: number, total: number | undefined, what?: string): void {
    this.progressed.push([done, total, what]);
  }

  say(line: Line): void {
    this.said.push(line);
  }

  offer(text: string, command: string): void {
    this.offers.push({ text, command });
  }
}
