import { isIdentityOf, type CallServer } from '#domain/calls.ts';
import type { Clock } from '#domain/clock.ts';
import { asOpsError } from '#domain/errors.ts';
import type { Log } from '#domain/log.ts';
import type { Takings } from './ports.ts';

const sweepEveryMs = 400;
const restMs = 2000;
// Each rejoin gives a fresh token of at least ten minutes, with a minute of leeway and one to spare.
const afterRejoinMs = 12 * 60_000;

/** Keeps banned people out of calls: a thrown-out participant can come back with the same token, so this goes on. */
export class Warden {
  readonly #calls: CallServer;
  readonly #takings: Takings;
  readonly #clock: Clock;
  readonly #log: Log;
  #sweeping: Promise<number> | undefined;

  constructor(input: { calls: CallServer; takings: Takings; clock: Clock; log: Log }) {
    this.#calls = input.calls;
    this.#takings = input.takings;
    this.#clock = input.clock;
    this.#log = input.log;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const banned = this.#takings.held().length > 0;
      let waitMs = banned ? sweepEveryMs : restMs;
      try {
        if (banned) await this.sweep();
      } catch (error) {
        waitMs = restMs;
        this.#log.warn({ why: asOpsError(error).message }, 'calls cannot be watched');
      }
      await this.#clock.sleep(waitMs, signal).catch(() => {});
    }
  }

  /** Throws out whoever is banned. Gives how many were. */
  sweep(): Promise<number> {
    this.#sweeping ??= this.#once().finally(() => {
      this.#sweeping = undefined;
    });
    return this.#sweeping;
  }

  async #once(): Promise<number> {
    const holds = this.#takings.held();
    let removed = 0;
    const rooms = await this.#calls.rooms();
    const lists = await Promise.all(rooms.map((room) => this.#calls.participants(room.name)));
    for (const [index, participants] of lists.entries()) {
      for (const { identity } of participants) {
        const hold = holds.find((held) => isIdentityOf(identity, held.user, held.identities));
        if (!hold) continue;
        await this.#calls.remove(rooms[index]!.name, identity);
        removed += 1;
        const until = Math.max(hold.until, this.#clock.now() + afterRejoinMs);
        // Only while it holds: it may have been ended since the sweep began.
        const held = this.#takings.held().some(({ user, kind }) => user === hold.user && kind === hold.kind);
        if (held && until > hold.until) this.#takings.hold({ ...hold, until });
        this.#log.info({ user: hold.user, run: hold.run }, 'a banned participant was thrown out of a call');
      }
    }
    return removed;
  }
}
