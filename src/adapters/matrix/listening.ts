import type { EpochMs } from '#domain/clock.ts';

/**
 * Since when the bot has heard all that was sent. The first answer after a start or an outage doesn't say so: a homeserver
 * may give what it kept for the request before (Synapse does so for two minutes). An answer to a position of this very
 * connection does.
 */
export class Listening {
  #at: EpochMs | undefined;
  #own = false;

  constructor(at: EpochMs | undefined) {
    this.#at = at;
  }

  get caughtUp(): boolean {
    return this.#own;
  }

  /** For an answer that came now: how long ago, at most, was sent what is in it; and until when all is heard with it. */
  answered(now: EpochMs): { awayMs: number; at: EpochMs } {
    return { awayMs: now - (this.#at ?? now), at: this.#own ? now : (this.#at ?? now) };
  }

  /** The answer is stored. */
  stored(at: EpochMs): void {
    this.#at = at;
    this.#own = true;
  }

  cutOff(): void {
    this.#own = false;
  }
}
