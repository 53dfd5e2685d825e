import type { UserId } from './accounts.ts';
import type { AuditEntry, AuditLink, AuditRow } from './audit.ts';
import type { AuditSeal } from './audit-seal.ts';
import type { Json } from './canonical.ts';
import type { EpochMs } from './clock.ts';
import type { Batch, InboxItem, NewInboxItem, RoomFacts, SealedHead } from './inbox.ts';
import type { Incident, IncidentLogEntry, Page } from './incidents.ts';
import type { NewOutboxRow, OutboxOutcome, OutboxRow, OutboxState } from './outbox.ts';
import type { Prompt, Vote } from './prompts.ts';
import type { RoomId } from './rooms.ts';
import type { Run, RunState, Step } from './runs.ts';

/** A call ban: kept up by a sweep until its end. */
export type Hold = {
  site: string;
  user: UserId;
  kind: 'call-ban';
  /** Hashed identities of theirs, by which newer clients join calls. */
  identities: string[];
  until: EpochMs;
  run: number;
  endedAt: EpochMs | undefined;
};
/** What a disable took, for `enable` to offer back. */
export type TakenAway = {
  site: string;
  user: UserId;
  run: number;
  at: EpochMs;
  snapshot: Json;
  returnedAt: EpochMs | undefined;
};
/** One due time of one job. */
export type Slot = {
  job: string;
  dueAt: EpochMs;
  state: 'taken' | 'done' | 'missed' | 'skipped';
  run: number | undefined;
};

/**
 * One transition, written in one transaction: refused whole (`conflict`) when a `rev` moved or a lock is held. Rows carry
 * their new `rev`; 1 means new.
 */
export type Change = {
  at: EpochMs;
  inbox?: Array<{ id: number; state: 'done' | 'ignored'; run?: number }>;
  runs?: Run[];
  steps?: Step[];
  prompts?: Prompt[];
  votes?: Vote[];
  outbox?: NewOutboxRow[];
  audit?: AuditEntry[];
  seals?: AuditSeal[];
  takeLocks?: Array<{ target: string; run: number }>;
  releaseLocksOf?: number[];
  incidents?: Incident[];
  incidentLog?: IncidentLogEntry[];
  pages?: Page[];
  holds?: Hold[];
  takenAway?: TakenAway[];
  slots?: Slot[];
  switches?: Array<{ name: string; value: Json | undefined }>;
};

export type IdKind = 'run' | 'prompt' | 'outbox' | 'incident';

/** What the bot remembers. One writer; every call is synchronous and, for writes, durable when it returns. */
export interface Ledger {
  reserve(kind: IdKind): number;
  /** Throws `conflict` and writes nothing when the world moved; `unavailable` when the disk doesn't take it. */
  commit(change: Change): void;

  position(stream: string): string | undefined;
  /** When that position was reached. */
  positionAt(stream: string): EpochMs | undefined;
  roomFacts(room: RoomId): RoomFacts | undefined;
  /** Stores position, facts and the items not seen before; gives those items. */
  take(batch: Batch): InboxItem[];
  newItems(limit: number): InboxItem[];
  /** What waits for its key, oldest first. */
  sealedItems(): InboxItem[];
  /** The same without what is in them, which a stranger may have made large: to be looked at often. */
  sealedHeads(): SealedHead[];
  /** Its key came: it is what it says, or nothing that concerns the bot. Gives the item when it is to be handled. */
  unseal(id: number, item: NewInboxItem | undefined): InboxItem | undefined;
  /** What came in with this key. */
  inboxItem(key: string): InboxItem | undefined;
  inboxDepth(): number;

  run(id: number): Run | undefined;
  runsBy(filter: {
    states?: readonly RunState[];
    actor?: UserId;
    key?: string;
    command?: string;
    undoOf?: number;
    limit?: number;
  }): Run[];
  /** Who began which change since then. */
  begunSince(at: EpochMs): Array<{ actor: UserId; command: string }>;
  steps(run: number): Step[];
  lockHolder(target: string): number | undefined;

  prompt(filter: { id?: number; code?: string; message?: number; run?: number }): Prompt | undefined;
  openPrompts(): Prompt[];
  votes(prompt: number): Vote[];

  /** The oldest pending row of each lane that is due. */
  dueOutbox(now: EpochMs, limit: number): OutboxRow[];
  nextOutboxDue(): EpochMs | undefined;
  outboxRow(id: number): OutboxRow | undefined;
  outboxByEvent(event: string): OutboxRow | undefined;
  /** All that was or will be said about one thing, oldest first. */
  outboxAbout(about: OutboxRow['about']): OutboxRow[];
  /** An attempt is noted before it is made, so that a later one knows of it. */
  noteAttempt(id: number, at: EpochMs): void;
  settleOutbox(id: number, state: OutboxState, set: OutboxOutcome): void;
  /** Makes due now what waits since a try that failed, unless it was refused by a limit. Gives how many. */
  hastenOutbox(now: EpochMs): number;
  /** `oldestAt`: since when the oldest could not be said, however often it was put off. */
  outboxDepth(): { pending: number; oldestAt: EpochMs | undefined };
  /** Pages that could not be said since then, and went out no other way yet. */
  stuckPages(before: EpochMs): OutboxRow[];
  /** Pages that were over before the room could hear of them, and that it was not told of. */
  missedPages(): OutboxRow[];
  noteFallback(ids: readonly number[], at: EpochMs): void;

  incident(id: number): Incident | undefined;
  openIncidentByKey(site: string, key: string): Incident | undefined;
  lastIncidentByKey(site: string, key: string): Incident | undefined;
  incidents(filter: { open?: boolean; group?: string; unsaid?: boolean; message?: number; limit?: number }): Incident[];
  incidentLog(id: number): IncidentLogEntry[];
  pagesOf(incident: number): Page[];

  /** When what has this key came in. */
  takenAt(key: string): EpochMs | undefined;
  /** Forgets what was said and done before that time, but never runs, audit or what was taken. Gives the number of rows. */
  trim(before: EpochMs): number;
  holds(now: EpochMs): Hold[];
  takenAway(site: string, user: UserId): TakenAway | undefined;
  slots(job: string, since: EpochMs): Slot[];
  switch(name: string): Json | undefined;

  auditHead(): { seq: number; hash: string };
  audit(filter: { actor?: UserId; act?: string; run?: number; limit?: number }): AuditRow[];
  /** The chain, from behind that row. */
  auditAll(after?: number): IterableIterator<AuditLink>;
  /** Oldest first, from behind that row. */
  auditSeals(after?: number): AuditSeal[];
}
