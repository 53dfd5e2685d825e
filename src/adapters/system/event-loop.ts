const beatMs = 100;

/**
 * How long this process was unable to do anything: a blocked event loop answers nobody and notices nothing. By a timer of
 * its own: Node's histogram forgets a standstill that it is reset in, and a standstill is read right after it.
 */
export class EventLoop implements Disposable {
  readonly #timer: NodeJS.Timeout;
  #beatAtMs = performance.now();
  #worstMs = 0;

  constructor() {
    this.#timer = setInterval(() => this.#beat(), beatMs).unref();
  }

  /** The longest standstill since the last call, in milliseconds. */
  worstMs(): number {
    this.#beat();
    const worst = this.#worstMs;
    this.#worstMs = 0;
    return worst;
  }

  #beat(): void {
    const now = performance.now();
    this.#worstMs = Math.max(this.#worstMs, now - this.#beatAtMs - beatMs);
    this.#beatAtMs = now;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
