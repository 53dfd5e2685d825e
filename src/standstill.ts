import { EventLoop } from '#adapters/system/event-loop.ts';
import type { Clock } from '#domain/clock.ts';
import { formatDuration } from '#domain/duration.ts';
import type { Log } from '#domain/log.ts';

const worthALineMs = 1000;
const unwellMs = 10_000;
const rememberedMs = 60_000;

/** Watches whether the bot stands still, and remembers the worst of the last minute. */
export class Standstill implements Disposable {
  readonly #loop: Disposable & { worstMs(): number };
  readonly #clock: Clock;
  readonly #log: Log;
  #seen: Array<{ atMs: number; ms: number }> = [];

  constructor(clock: Clock, log: Log, loop: Disposable & { worstMs(): number } = new EventLoop()) {
    this.#loop = loop;
    this.#clock = clock;
    this.#log = log;
  }

  /** Called each second. */
  tick(): void {
    const atMs = this.#clock.monotonicMs();
    const ms = this.#loop.worstMs();
    this.#seen = [...this.#seen.filter((one) => atMs - one.atMs < rememberedMs), { atMs, ms }];
    if (ms > worthALineMs)
      this.#log.warn({ ms: Math.round(ms) }, 'the bot stood still: nothing was answered meanwhile');
  }

  get worstMs(): number {
    return Math.max(0, ...this.#seen.map(({ ms }) => ms));
  }

  state(): { ready: boolean; note?: string } {
    const { worstMs } = this;
    return worstMs < unwellMs
      ? { ready: true }
      : { ready: false, note: `it stood still for ${formatDuration(worstMs)} in the last minute` };
  }

  [Symbol.dispose](): void {
    this.#loop[Symbol.dispose]();
  }
}
