import type { MatrixEvent } from '#adapters/matrix/events.ts';
import type { Request } from '#adapters/matrix/client.ts';
import { OpsError } from '#domain/errors.ts';

type Asked = { method: string; path: string; query: Record<string, string | number> };

/** A homeserver with one room: positions are counts of events. A sync shows at most the last `window` of them. */
export class FakeSyncServer {
  readonly asked: Asked[] = [];
  readonly #room: string;
  readonly #events: MatrixEvent[] = [];
  readonly #errors: OpsError[] = [];
  readonly #window: number;
  readonly #page: number;
  readonly #waiting = new Set<() => void>();

  constructor(options: { room: string; window?: number; page?: number }) {
    this.#room = options.room;
    this.#window = options.window ?? 10;
    this.#page = options.page ?? 3;
  }

  say(...events: MatrixEvent[]): void {
    this.#events.push(...events);
    for (const wake of this.#waiting) wake();
  }

  /** The next requests fail. */
  fail(error: OpsError, times = 1): void {
    for (let n = 0; n < times; n += 1) this.#errors.push(error);
  }

  readonly request: Request = async (method, path, query) => {
    this.asked.push({ method, path, query: query ?? {} });
    await Promise.resolve();
    const error = this.#errors.shift();
    if (error) throw error;
    if (path.endsWith('/sync'))
      return this.#sync(
        query?.['since'] === undefined ? undefined : Number(query['since']),
        Number(query?.['timeout'] ?? 0),
      );
    if (path.endsWith('/messages')) return this.#messages(Number(query?.['from']), Number(query?.['to']));
    throw new OpsError('notFound', path);
  };

  async #sync(since: number | undefined, timeoutMs: number): Promise<Record<string, unknown>> {
    // A long poll: nothing new, no answer.
    if (since === this.#events.length && timeoutMs > 0) {
      await new Promise<void>((resolve) => {
        this.#waiting.add(resolve);
      });
    }
    const start = Math.max(since ?? 0, this.#events.length - this.#window);
    const before = this.#events.slice(since ?? 0, start);
    const timeline = { events: this.#events.slice(start), limited: start > (since ?? 0), prev_batch: String(start) };
    // The state as it was where the timeline begins, as far as it changed since the last position.
    const state = { events: before.filter((event) => event.state_key !== undefined) };
    return { next_batch: String(this.#events.length), rooms: { join: { [this.#room]: { timeline, state } } } };
  }

  #messages(from: number, to: number): Record<string, unknown> {
    const start = Math.max(to, from - this.#page);
    const chunk = this.#events.slice(start, from).reverse();
    return { chunk, ...(start > to ? { end: String(start) } : {}) };
  }
}
