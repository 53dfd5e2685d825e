import type { UserId } from './accounts.ts';
import type { EpochMs } from './clock.ts';
import type { Incident, IncidentLogEntry, Page } from './incidents.ts';

/** Who is on duty, and until when. */
export type OnDuty = { layer: string; user: UserId; until: EpochMs; next: UserId | undefined };

/** Incidents and on-call as commands see them; the engine implements it. */
export interface IncidentDesk {
  /** How long an acknowledgement lasts that doesn't say. */
  readonly ackForMs: number;
  list(filter: { open?: boolean; limit?: number }): Incident[];
  find(id: number): { incident: Incident; log: IncidentLogEntry[]; pages: Page[] } | undefined;
  /** By the event of its message, or of a thread on it. */
  byEvent(event: string): Incident[];
  /** Acknowledges; gives those that changed. `thread`: where it was said. Throws `notFound`, `conflict` when all are over. */
  ack(ids: number[] | 'all', by: UserId, forMs: number, thread?: string): Incident[];
  onDuty(): OnDuty[];
  /** The coming hand-offs, soonest first. */
  coming(limit: number): Array<{ layer: string; user: UserId; from: EpochMs }>;
  /** Pages somebody by hand: an incident of its own, so that it is acknowledged and escalated like any other. */
  page(to: UserId | 'on-call', text: string, by: UserId): Incident;
}
