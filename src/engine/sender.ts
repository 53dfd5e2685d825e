import type { Clock } from '#domain/clock.ts';
import { asOpsError, causeOf, type ErrorKind } from '#domain/errors.ts';
import type { Ledger } from '#domain/ledger.ts';
import type { Log } from '#domain/log.ts';
import type { OpsRoom } from '#domain/ops-room.ts';
import type { OutboxRow } from '#domain/outbox.ts';

const parallelLanes = 8;
const firstRetryMs = 500;
const longestRetryMs = 60_000;
// What a person can mend meanwhile (a dead token, a kicked bot) is kept and tried again; what is wrong in itself isn't.
const comesBack = new Set<ErrorKind>(['limited', 'unavailable', 'cancelled', 'misconfigured', 'denied']);

/** Empties the outbox into the room: in order per lane, the same transaction at every try, obeying the room's limits. */
export class Sender {
  readonly #ledger: Ledger;
  readonly #room: OpsRoom;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #said: (row: OutboxRow) => void;
  readonly #inFlight = new Set<string>();
  #heldUntilMs = 0;
  #wake: () => void = () => {};
  #woken = false;

  constructor(input: {
    ledger: Ledger;
    room: OpsRoom;
    clock: Clock;
    log: Log;
    /** What has reached the room. */
    said?: (row: OutboxRow) => void;
  }) {
    this.#said = input.said ?? (() => {});
    this.#ledger = input.ledger;
    this.#room = input.room;
    this.#clock = input.clock;
    this.#log = input.log;
  }

  /** Something new may be due. */
  wake(): void {
    this.#woken = true;
    this.#wake();
  }

  /** The homeserver is back: what waits because it was away is tried now, what is limited waits on. */
  hasten(): void {
    if (this.#ledger.hastenOutbox(this.#clock.now()) > 0) this.#heldUntilMs = 0;
    this.wake();
  }

  /** Until the signal is aborted; then what is in flight is finished. */
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
    await Promise.allSettled(flying);
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
    // Only the room's own errors say that it could not be said; the memory's are met by the caller.
    this.#ledger.noteAttempt(row.id, this.#clock.now());
    let event: string;
    try {
      event = await this.#room.send(row, (id) => this.#ledger.outboxRow(id)?.eventId, signal);
    } catch (error) {
      return this.#settleFailure(row, asOpsError(error));
    }
    this.#ledger.settleOutbox(row.id, 'sent', { eventId: event });
    this.#said(row);
  }

  /** The memory takes no note of what became of the row (a full disk): it stays pending, and its transaction the same. */
  #rememberFailed(row: OutboxRow, error: unknown): void {
    this.#heldUntilMs = Math.max(this.#heldUntilMs, this.#clock.now() + firstRetryMs);
    this.#log.error(
      { outbox: row.id, why: asOpsError(error).message },
      'what was said cannot be noted; it will be said again',
    );
  }

  #settleFailure(row: OutboxRow, error: ReturnType<typeof asOpsError>): void {
    const now = this.#clock.now();
    if (!comesBack.has(error.kind)) {
      this.#log.error(
        { outbox: row.id, kind: error.kind, why: error.message, cause: causeOf(error) },
        'could not be said',
      );
      this.#ledger.settleOutbox(row.id, 'failed', { error: error.message });
      return;
    }
    const backOffMs = Math.min(longestRetryMs, firstRetryMs * 2 ** Math.min(row.attempts, 10));
    const waitMs = error.kind === 'limited' ? (error.retryAfterMs ?? backOffMs) : backOffMs;
    // The limit is the account's and an outage is the server's: neither is this lane's alone. A refusal is.
    if (error.kind !== 'denied') this.#heldUntilMs = Math.max(this.#heldUntilMs, now + waitMs);
    this.#ledger.settleOutbox(row.id, 'pending', {
      error: error.message,
      dueAt: now + waitMs,
      refused: error.kind === 'limited',
    });
    if (error.kind !== 'cancelled') this.#log.warn({ outbox: row.id, kind: error.kind, waitMs }, 'will be said later');
  }
}
