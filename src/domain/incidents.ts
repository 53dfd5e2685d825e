import type { UserId } from './accounts.ts';
import type { EpochMs } from './clock.ts';
import { OpsError } from './errors.ts';

export type Severity = 'critical' | 'warning' | 'info';
export type IncidentState = 'open' | 'paged' | 'acked' | 'silenced' | 'stale' | 'closed';

/** What tells: a webhook's alert, a check's verdict. `key` is the same for the same trouble. */
export type Signal = {
  site: string;
  source: string;
  key: string;
  /** Alerts of one group share one message. */
  group: string;
  firing: boolean;
  severity: Severity;
  /** The rule's word, `SynapseDown`. */
  name: string;
  title: string;
  labels: Record<string, string>;
  startedAt: EpochMs;
};

/** One trouble, from its first firing to its end. */
export type Incident = {
  id: number;
  rev: number;
  site: string;
  source: string;
  key: string;
  group: string;
  severity: Severity;
  state: IncidentState;
  name: string;
  title: string;
  labels: Record<string, string>;
  /** How many times it was escalated: the index of the next step of the escalation. */
  level: number;
  nextAt: EpochMs | undefined;
  ackedBy: UserId | undefined;
  ackedUntil: EpochMs | undefined;
  silencedUntil: EpochMs | undefined;
  openedAt: EpochMs;
  closedAt: EpochMs | undefined;
  /** The last time its source said that it fires. */
  seenAt: EpochMs;
  reopened: number;
  /** The outbox row of the group's message. */
  message: number | undefined;
  /** Not yet in any message of the room. */
  unsaid: boolean;
};

export type IncidentLogEntry = { incident: number; at: EpochMs; actor: UserId | undefined; what: string };
export type Page = {
  incident: number;
  level: number;
  user: UserId;
  way: 'matrix' | 'webhook';
  outbox: number;
  at: EpochMs;
  outcome: string | undefined;
};

export const incidentName = (id: number): string => `a${id}`;
/** `a17` or `17`. Throws `invalid`. */
export function parseIncidentName(text: string): number {
  const match = /^a?(\d{1,12})$/i.exec(text);
  if (!match) {
    throw new OpsError('invalid', `"${text}" is not an incident.`, { hint: 'They look like a17; !alerts lists them.' });
  }
  return Number(match[1]);
}
export const isOpen = (incident: Incident): boolean => incident.state !== 'closed';
