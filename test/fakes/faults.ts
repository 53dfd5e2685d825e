import type { OpsError } from '#domain/errors.ts';

/** Lets a test make the next calls of a fake fail, and counts the calls. */
export class Faults<Method extends string> {
  readonly #planned: Array<{ method: Method; error: OpsError; when: 'before' | 'after' }> = [];
  readonly calls: Array<{ method: Method; args: unknown[] }> = [];

  /** `after`: the work is done, yet the caller is told that it failed (a time-out). */
  fail(method: Method, error: OpsError, options: { times?: number; when?: 'before' | 'after' } = {}): void {
    const { times = 1, when = 'before' } = options;
    for (let n = 0; n < times; n++) this.#planned.push({ method, error, when });
  }

  /** What was planned and did not happen yet never will. */
  clear(): void {
    this.#planned.length = 0;
  }

  async run<T>(method: Method, args: unknown[], work: () => T): Promise<T> {
    this.calls.push({ method, args });
    // A real call never ends in the same turn.
    await Promise.resolve();
    const index = this.#planned.findIndex((fault) => fault.method === method);
    const [fault] = index < 0 ? [] : this.#planned.splice(index, 1);
    if (fault?.when === 'before') throw fault.error;
    const result = work();
    if (fault !== undefined) throw fault.error;
    return result;
  }

  count(method: Method): number {
    return this.calls.filter((call) => call.method === method).length;
  }
}
