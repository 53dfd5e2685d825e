import { monitorEventLoopDelay } from 'node:perf_hooks';

const resolutionMs = 100;

/** How long this process was unable to do anything: a blocked event loop answers nobody and notices nothing. */
export class EventLoop implements Disposable {
  readonly #delays: ReturnType<typeof monitorEventLoopDelay>;

  constructor() {
    this.#delays = monitorEventLoopDelay({ resolution: resolutionMs });
    this.#delays.enable();
  }

  /** The longest standstill since the last call, in milliseconds. */
  worstMs(): number {
    const worst = this.#delays.count === 0 ? 0 : this.#delays.max / 1e6 - resolutionMs;
    this.#delays.reset();
    return Math.max(0, worst);
  }

  [Symbol.dispose](): void {
    this.#delays.disable();
  }
}
