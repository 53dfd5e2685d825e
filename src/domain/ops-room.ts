import type { OutboxRow } from './outbox.ts';

/** The room as the sender sees it. */
export interface OpsRoom {
  /**
   * Sends one row and gives its event id. The same row sent twice is one event, by its transaction id. `eventOf` tells
   * what an earlier row became. `look`: the homeserver may have forgotten that transaction, so the room is searched for
   * it first. Throws `limited` with `retryAfterMs`, `unavailable` (try again), or what can't be mended by trying again:
   * `denied`, `invalid`, `notFound`.
   */
  send(
    row: OutboxRow,
    eventOf: (outbox: number) => string | undefined,
    signal: AbortSignal,
    look?: boolean,
  ): Promise<string>;
}
