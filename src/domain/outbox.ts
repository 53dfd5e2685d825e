import type { EpochMs } from './clock.ts';
import type { Outgoing } from './messages.ts';
import type { RoomId } from './rooms.ts';

/** `missed`: over before the room could hear of it; a summary tells when the room is back. */
export type OutboxState = 'pending' | 'sent' | 'failed' | 'dropped' | 'missed';

/**
 * Something to be said. Rows of one lane leave in the order of their ids. A pending row with the same `collapse` is
 * overwritten; an edit (`replaces`) of a row that is still pending overwrites that one, so progress costs one row.
 */
export type NewOutboxRow = {
  id: number;
  site: string;
  about: { kind: 'run' | 'prompt' | 'incident' | 'inbox' | 'report' | 'notice'; id: number | string };
  lane: string;
  collapse: string | undefined;
  room: RoomId;
  thread: string | undefined;
  /** The event this answers (shown by clients without threads). */
  inReplyTo: string | undefined;
  /** The outbox row whose event this one edits. */
  replaces: number | undefined;
  content: Outgoing;
  dueAt: EpochMs;
};
export type OutboxRow = NewOutboxRow & {
  /** The Matrix transaction id: the same at every try, so the homeserver takes it once. */
  txn: string;
  state: OutboxState;
  attempts: number;
  firstTryAt: EpochMs | undefined;
  /** When it went out another way, because the room could not be reached. */
  fallbackAt: EpochMs | undefined;
  eventId: string | undefined;
  error: string | undefined;
};

/** `refused`: the room certainly did not take it (rate limit), so the row may still be overwritten by a newer one. */
export type OutboxOutcome = { eventId?: string; error?: string; dueAt?: EpochMs; refused?: boolean };

// Synapse remembers a transaction for 24 h: up to then the same one sent again is the same event.
const transactionLastsMs = 23 * 3_600_000;

/**
 * Whether the homeserver may have forgotten that it took this row, so that the room has to be looked at before the row is
 * sent again. `sessionSince`: transactions of an earlier session of the bot are not known in this one.
 */
export const mayBeForgotten = (row: OutboxRow, now: EpochMs, sessionSince: EpochMs): boolean =>
  row.firstTryAt !== undefined && row.firstTryAt < Math.max(now - transactionLastsMs, sessionSince);

/** For how long it could not be said. */
export const delayOf = (row: OutboxRow, now: EpochMs): number => Math.max(0, now - (row.firstTryAt ?? row.dueAt));
