import type { Clock, EpochMs } from '#domain/clock.ts';
import { asOpsError, causeOf, type ErrorKind, type OpsError } from '#domain/errors.ts';
import type { Ledger } from '#domain/ledger.ts';
import type { Log } from '#domain/log.ts';
import type { OpsRoom } from '#domain/ops-room.ts';
import { mayBeForgotten, type OutboxRow } from '#domain/outbox.ts';
import { withDelay } from './delayed.ts';

const parallelLanes = 8;
const firstRetryMs = 500;
const longestRetryMs = 60_000;
// A homeserver may ask for patience; a wrong number must not silence the bot for a year.
const longestLimitMs = 3_600_000;
const longestPauseMs = 300_000;
// What is in flight at the stop may end by itself; a homeserver that hangs is left. The row stays, with its transaction.
const leaveAfterMs = 3000;
// What a person can mend meanwhile (a dead token, a kicked bot) is kept and tried again; what is wrong in itself isn't.
const comesBack = new Set<ErrorKind>(['limited', 'unavailable', 'cancelled', 'misconfigured', 'denied']);

export type SenderOptions = {
  ledger: Ledger;
  room: OpsRoom;
  clock: Clock;
  log: Log;
  /** Since when the bot has the session that it has now; transactions are of a session. */
  sessionSince?: EpochMs;
  /** What has reached the room. */
  said?: (row: OutboxRow) => void;
  /** The room did not take it, and why. */
  refused?: (row: OutboxRow, error: OpsError) => void;
};

/** Empties the outbox into the room: in order per lane, the same transaction at every try, obeying the room's limits. */
export class Sender {
  readonly #options: SenderOptions;
  readonly #ledger: Ledger;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #inFlight = new Set<string>();
  /** The account may speak again then; nothing shortens that. */
  #limitedUntilMs = 0;
  /** The homeserver is tried again then, or when it is heard of before. */
  #pausedUntilMs = 0;
  #left = false;
  #wake: () => void = () => {};
  #woken = false;
  /** Whether the last thing said got through. */
  reachable = true;

  constructor(options: SenderOptions) {
    this.#options = options;
    this.#ledger = options.ledger;
    this.#clock = options.clock;
    this.#log = options.log;
  }

  /** Something new may be due. */
  wake(): void {
    this.#woken = true;
    this.#wake();
  }

  /** The homeserver is back: what waits because it was away is tried now, what is limited waits on. */
  hasten(): void {
    this.#ledger.hastenOutbox(this.#clock.now());
    this.#pausedUntilMs = 0;
    this.reachable = true;
    this.wake();
  }

  get #heldUntilMs(): number {
    return Math.max(this.#limitedUntilMs, this.#pausedUntilMs);
  }

  /** Until the signal is aborted; then what is in flight is finished, unless it hangs. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.wake(), { once: true });
    const flying = new Set<Promise<void>>();
    while (!signal.aborted) {
      this.#woken = false;
      const now = this.#clock.now();
      const free = now < this.#heldUntilMs ? 0 : parallelLanes - this.#inFlight.size;
      const rows =
        free > 0 ? this.#ledger.dueOutbox(now, parallelLanes * 2).filter((row) => !this.#inFlight.has(row.lane)) : [];
      for (const row of rows.slice(0, free)) {
        this.#inFlight.add(row.lane);
        const flight = this.#send(row, signal)
          .catch((error: unknown) => this.#rememberFailed(row, error))
          .finally(() => {
            this.#inFlight.delete(row.lane);
            flying.delete(flight);
            this.wake();
          });
        flying.add(flight);
      }
      if (!this.#woken) await this.#rest(signal, now);
    }
    await this.#leave(flying);
  }

  async #leave(flying: ReadonlySet<Promise<void>>): Promise<void> {
    const landed = new AbortController();
    const enough = this.#clock.sleep(leaveAfterMs, landed.signal).catch(() => {});
    await Promise.race([Promise.allSettled(flying), enough]);
    this.#left = true;
    landed.abort();
  }

  async #rest(signal: AbortSignal, now: number): Promise<void> {
    const due = Math.max(this.#ledger.nextOutboxDue() ?? now + longestRetryMs, this.#heldUntilMs);
    const timer = new AbortController();
    const woken = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    const waitMs =
      this.#inFlight.size > 0 && due <= now ? longestRetryMs : Math.max(1, Math.min(due - now, longestRetryMs));
    const timed = this.#clock.sleep(waitMs, AbortSignal.any([signal, timer.signal])).catch(() => {});
    await Promise.race([woken, timed]);
    timer.abort();
  }

  async #send(row: OutboxRow, signal: AbortSignal): Promise<void> {
    const now = this.#clock.now();
    const look = mayBeForgotten(row, now, this.#options.sessionSince ?? -Infinity);
    // Only the room's own errors say that it could not be said; the memory's are met by the caller.
    this.#ledger.noteAttempt(row.id, now);
    let event: string;
    try {
      const eventOf = (id: number): string | undefined => this.#ledger.outboxRow(id)?.eventId;
      event = await this.#options.room.send(withDelay(row, now), eventOf, signal, look);
    } catch (error) {
      if (!this.#left) this.#settleFailure(row, asOpsError(error));
      return;
    }
    if (this.#left) return;
    this.reachable = true;
    this.#ledger.settleOutbox(row.id, 'sent', { eventId: event });
    this.#options.said?.(row);
  }

  /** The memory takes no note of what became of the row (a full disk): it stays pending, and its transaction the same. */
  #rememberFailed(row: OutboxRow, error: unknown): void {
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, this.#clock.now() + firstRetryMs);
    this.#log.error(
      { outbox: row.id, why: asOpsError(error).message },
      'what was said cannot be noted; it will be said again',
    );
  }

  #settleFailure(row: OutboxRow, error: OpsError): void {
    const now = this.#clock.now();
    if (!comesBack.has(error.kind)) {
      this.#log.error(
        { outbox: row.id, kind: error.kind, why: error.message, cause: causeOf(error) },
        'could not be said',
      );
      this.#ledger.settleOutbox(row.id, 'failed', { error: error.message });
      return;
    }
    const waitMs = this.#waitOf(row, error);
    this.#hold(error, now + waitMs);
    this.#options.refused?.(row, error);
    this.#ledger.settleOutbox(row.id, 'pending', {
      error: error.message,
      dueAt: now + waitMs,
      refused: error.kind === 'limited',
    });
    if (error.kind !== 'cancelled')
      this.#log.warn({ outbox: row.id, kind: error.kind, why: error.message, waitMs }, 'will be said later');
  }

  #waitOf(row: OutboxRow, { kind, retryAfterMs }: OpsError): number {
    const backOffMs = Math.min(longestRetryMs, firstRetryMs * 2 ** Math.min(row.attempts, 10));
    if (retryAfterMs === undefined) return backOffMs;
    if (kind === 'limited') return Math.min(retryAfterMs, longestLimitMs);
    return Math.max(backOffMs, Math.min(retryAfterMs, longestPauseMs));
  }

  /** The limit is the account's and an outage is the server's: neither is this lane's alone. A refusal is. */
  #hold({ kind }: OpsError, untilMs: number): void {
    if (kind === 'limited') {
      this.#limitedUntilMs = Math.max(this.#limitedUntilMs, untilMs);
      return;
    }
    this.reachable = false;
    if (kind !== 'denied') this.#pausedUntilMs = Math.max(this.#pausedUntilMs, untilMs);
  }
}
