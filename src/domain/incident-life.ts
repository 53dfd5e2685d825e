import type { UserId } from './accounts.ts';
import type { EpochMs } from './clock.ts';
import type { Incident, Severity, Signal } from './incidents.ts';

// The life of an incident as a pure function (ledger.md, "Lives"). The revision isn't its business: whoever stores
// raises it once, however many events a batch has for one incident.

export type LifeRules = {
  /** The same trouble again within this time goes on with the same incident. */
  reopenMs: number;
  /** From the first firing to the first page. */
  firstPageAfterMs: number;
};

export type LifeEvent =
  | { kind: 'signal'; signal: Signal }
  | { kind: 'ack'; by: UserId; until: EpochMs }
  | { kind: 'silence'; by: UserId; until: EpochMs }
  /** It was escalated: the next level is due at `nextAt`. */
  | { kind: 'paged'; level: number; nextAt: EpochMs }
  /** Rings again at once, from the first step on. */
  | { kind: 'ring' }
  /** Nothing but time passed. */
  | { kind: 'time' };

/** The next state and what goes into the log; undefined: nothing changed. */
export type Step = { incident: Incident; said: string | undefined };

/** Critical ones page; the others are shown and wake nobody. */
export const pages = (severity: Severity): boolean => severity === 'critical';
/** Alertmanager says again that an alert fires; written down at most this often. */
const seenEveryMs = 60_000;

const calm = { nextAt: undefined, ackedUntil: undefined, silencedUntil: undefined };
const firstPage = (severity: Severity, rules: LifeRules, now: EpochMs): EpochMs | undefined =>
  pages(severity) ? now + rules.firstPageAfterMs : undefined;

export function beginIncident(signal: Signal, id: number, now: EpochMs, rules: LifeRules): Incident {
  return {
    id,
    rev: 1,
    site: signal.site,
    source: signal.source,
    key: signal.key,
    group: signal.group,
    severity: signal.severity,
    state: 'open',
    name: signal.name,
    title: signal.title,
    labels: signal.labels,
    level: 0,
    nextAt: firstPage(signal.severity, rules, now),
    ackedBy: undefined,
    ackedUntil: undefined,
    silencedUntil: undefined,
    // A source's clock may be ahead of ours, and year 1 is Go's word for "not set".
    openedAt: signal.startedAt > 0 && signal.startedAt < now ? signal.startedAt : now,
    closedAt: undefined,
    seenAt: now,
    reopened: 0,
    message: undefined,
    unsaid: true,
  };
}

/** Does this signal go on with the incident, or begin a new one? */
export const continues = (incident: Incident, now: EpochMs, rules: LifeRules): boolean =>
  incident.state !== 'closed' || (incident.closedAt !== undefined && now - incident.closedAt <= rules.reopenMs);

export function live(incident: Incident, event: LifeEvent, now: EpochMs, rules: LifeRules): Step | undefined {
  const { state } = incident;
  const to = (set: Partial<Incident>, said?: string): Step => ({ incident: { ...incident, ...set }, said });
  if (event.kind === 'signal') return hear(incident, event.signal, now, rules);
  if (state === 'closed') return undefined;
  switch (event.kind) {
    case 'ack':
      return to({ ...calm, state: 'acked', ackedBy: event.by, ackedUntil: event.until }, 'acknowledged');
    case 'silence':
      return to({ ...calm, state: 'silenced', silencedUntil: event.until }, 'silenced');
    case 'paged':
      if (state === 'acked' || state === 'silenced') return undefined;
      return to({ state: 'paged', level: event.level, nextAt: event.nextAt });
    case 'ring':
      return to({ ...calm, state: 'open', level: 0, nextAt: pages(incident.severity) ? now : undefined });
    case 'time':
      return passTime(incident, now);
  }
}

function hear(incident: Incident, signal: Signal, now: EpochMs, rules: LifeRules): Step | undefined {
  const { state } = incident;
  if (!signal.firing) {
    if (state === 'closed') return undefined;
    // Who acknowledged, and until when, stays: if it comes back soon, they know of it already.
    return {
      incident: { ...incident, state: 'closed', nextAt: undefined, silencedUntil: undefined, closedAt: now },
      said: 'resolved',
    };
  }
  const { severity, title, labels } = signal;
  if (state === 'closed') return reopen({ ...incident, severity, title, labels }, now, rules);
  const worse = pages(severity) && !pages(incident.severity) && incident.nextAt === undefined;
  const asBefore = severity === incident.severity && title === incident.title && state !== 'stale';
  if (asBefore)
    return now - incident.seenAt < seenEveryMs
      ? undefined
      : { incident: { ...incident, seenAt: now }, said: undefined };
  const next: Incident = { ...incident, severity, title, labels, seenAt: now };
  if (state === 'stale') next.state = 'open';
  if (next.state === 'open' || next.state === 'paged') {
    if (worse || state === 'stale') next.nextAt = firstPage(severity, rules, now);
    else if (!pages(severity)) next.nextAt = undefined;
  }
  return { incident: next, said: severity === incident.severity ? undefined : `now ${severity}` };
}

/** Came back soon. Whoever acknowledged it is still on it until their time is over; else it pages anew. */
function reopen(incident: Incident, now: EpochMs, rules: LifeRules): Step {
  const times = incident.reopened + 1;
  const known = incident.ackedUntil !== undefined && incident.ackedUntil > now;
  const set = known
    ? { state: 'acked' as const }
    : {
        ...calm,
        state: 'open' as const,
        ackedBy: undefined,
        level: 0,
        nextAt: firstPage(incident.severity, rules, now),
      };
  return {
    incident: { ...incident, ...set, closedAt: undefined, seenAt: now, reopened: times },
    said: times === 1 ? 'came back' : `came back, ${times} times by now`,
  };
}

function passTime(incident: Incident, now: EpochMs): Step | undefined {
  const { state, ackedUntil, silencedUntil, severity } = incident;
  const nextAt = pages(severity) ? now : undefined;
  if (state === 'acked' && ackedUntil !== undefined && ackedUntil <= now) {
    // No machine says that a page by hand is over: whoever took it has, by taking it.
    if (incident.source === 'person') {
      return {
        incident: { ...incident, ...calm, state: 'closed', closedAt: now },
        said: 'closed: somebody had taken it',
      };
    }
    // `ackedBy` stays: the page goes to them too.
    const said = `still not resolved when the acknowledgement ran out`;
    return { incident: { ...incident, ...calm, state: 'open', level: 0, nextAt }, said };
  }
  if (state === 'silenced' && silencedUntil !== undefined && silencedUntil <= now) {
    return { incident: { ...incident, ...calm, state: 'open', level: 0, nextAt }, said: 'the silence ended' };
  }
  return undefined;
}

/** When this incident next needs a look; undefined: only at its next signal. */
export const wakesAt = (incident: Incident): EpochMs | undefined =>
  incident.state === 'acked'
    ? incident.ackedUntil
    : incident.state === 'silenced'
      ? incident.silencedUntil
      : incident.nextAt;
