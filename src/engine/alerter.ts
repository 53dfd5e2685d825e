import type { UserId } from '#domain/accounts.ts';
import { type AlertPace, defaultPace } from '#domain/alert-budget.ts';
import type { EpochMs } from '#domain/clock.ts';
import { namesOf } from '#domain/alert-text.ts';
import type { Json } from '#domain/canonical.ts';
import { firstDue } from '#domain/escalation.ts';
import { beginIncident, continues, live, wakesAt } from '#domain/incident-life.ts';
import { type Incident, incidentName, isOpen, type Signal } from '#domain/incidents.ts';
import { formatMoment } from '#domain/moment.ts';
import { roleAtLeast } from '#domain/operators.ts';
import { AlertDraft } from './alert-draft.ts';
import { drawFresh, redraw } from './alert-drawing.ts';
import type { AlertHouse } from './alert-house.ts';
import { dropPages, ring } from './alert-pages.ts';
import { postGroup, postsWakeAt, sayAtOnce, sayWaiting, timeline } from './alert-posts.ts';
import { plainEmoji } from './approvals.ts';

/** What became of one firing alert: conservation is `received = new + dedup + silenced + inhibited`. */
export type Fate = 'new' | 'dedup' | 'silenced' | 'inhibited';
export type AlerterOptions = Omit<AlertHouse, 'rules' | 'pace'> & {
  pace?: AlertPace;
  reopenMs?: number;
  /** Counted after the commit. */
  count?: (fate: Fate, alerts: number) => void;
};

const defaultReopenMs = 600_000;
const samePageMs = 60_000;

/** Nobody has taken it yet. */
export const isUnanswered = (incident: Incident): boolean => ['open', 'paged', 'stale'].includes(incident.state);

/**
 * Turns signals into incidents, incidents into messages and pages. All it knows is in the ledger: a restart at any
 * moment changes nothing. Every entry is one synchronous Change.
 */
export class Alerter {
  readonly house: AlertHouse;
  readonly #count: (fate: Fate, alerts: number) => void;
  /** Nothing is due before; unknown after a start. Only saves work: it derives from the ledger. */
  #wakeAt: EpochMs = -Infinity;

  constructor(options: AlerterOptions) {
    const { pace = defaultPace, reopenMs = defaultReopenMs, count, ...rest } = options;
    const firstPageAfterMs = firstDue(options.onCall.escalation, 0);
    this.house = { ...rest, pace, rules: { reopenMs, firstPageAfterMs } };
    this.#count = count ?? (() => {});
  }

  /** Stores all of them in one transaction. Throws when that can't be done; then none is stored. */
  receive(signals: readonly Signal[]): { stored: number } {
    const draft = this.#begin();
    const fates = new Map<Fate, number>();
    const begun: Incident[] = [];
    const closed: Incident[] = [];
    for (const signal of signals) {
      const { incident, fate } = this.#hear(draft, signal);
      if (fate === 'new' && incident?.message === undefined && incident !== undefined) begun.push(incident);
      if (incident?.state === 'closed') closed.push(incident);
      if (signal.firing) fates.set(fate, (fates.get(fate) ?? 0) + 1);
    }
    sayAtOnce(
      this.house,
      draft,
      begun.map((incident) => draft.see(incident)).filter((incident) => incident.unsaid),
    );
    // Those that joined an older message are rung by the next tick, which sees who is being called already.
    ring(
      this.house,
      draft,
      begun.filter((incident) => draft.fresh.has(draft.see(incident).message ?? -1)),
    );
    this.#finish(draft);
    dropPages(this.house, closed);
    for (const [fate, alerts] of fates) this.#count(fate, alerts);
    return { stored: signals.length };
  }

  #hear(draft: AlertDraft, signal: Signal): { incident: Incident | undefined; fate: Fate } {
    const { rules, ledger } = this.house;
    const known = draft.byKey(signal.site, signal.key);
    if (known === undefined || !continues(known, draft.now, rules)) {
      if (!signal.firing) return { incident: undefined, fate: 'dedup' };
      const incident = beginIncident(signal, ledger.reserve('incident'), draft.now, rules);
      return { incident: draft.begin(incident, `opened by ${signal.source}`), fate: 'new' };
    }
    const step = live(known, { kind: 'signal', signal }, draft.now, rules);
    const fate = known.state === 'silenced' ? 'silenced' : known.state === 'closed' ? 'new' : 'dedup';
    if (step === undefined) return { incident: undefined, fate };
    const incident = draft.put(step.incident, step.said);
    if (incident.message !== undefined && step.said !== undefined) draft.touch(incident.message);
    return { incident, fate };
  }

  /** What time brings: digests, edits, escalations, acknowledgements that ran out. Called every second. */
  tick(now: EpochMs = this.house.clock.now()): void {
    if (now < this.#wakeAt) return;
    const draft = this.#begin(now);
    const open = this.house.ledger.incidents({ open: true });
    for (const incident of open) {
      const step = live(incident, { kind: 'time' }, now, this.house.rules);
      if (step === undefined) continue;
      draft.put(step.incident, step.said);
      if (incident.message !== undefined) draft.touch(incident.message);
    }
    sayWaiting(this.house, draft);
    ring(this.house, draft, open);
    this.#finish(draft);
    const wakes = open.map((incident) => wakesAt(draft.see(incident)) ?? Infinity);
    this.#wakeAt = Math.min(
      postsWakeAt(this.house, draft),
      wakes.reduce((a, b) => Math.min(a, b), Infinity),
    );
  }

  /** What is shown by the message, or a page about it, that became this event. */
  shownBy(event: string): Incident[] {
    const { ledger } = this.house;
    const row = ledger.outboxByEvent(event);
    if (row?.about.kind !== 'incident') return [];
    const shown = ledger.incidents({ message: row.id });
    if (shown.length > 0) return shown;
    const about = ledger.incident(Number(row.about.id));
    return about?.message === undefined ? (about ? [about] : []) : ledger.incidents({ message: about.message });
  }

  /** A reaction on an alert: 👍 acknowledges. False when the event is none of ours. ✅ never resolves anything. */
  reaction(input: { event: string; emoji: string; sender: UserId; joined: boolean }): boolean {
    const shown = this.shownBy(input.event);
    if (shown.length === 0) return false;
    const waiting = shown.filter(isUnanswered);
    if (plainEmoji(input.emoji) !== '👍' || waiting.length === 0) return true;
    const person = this.house.operators.find(input.sender);
    // Whoever is being called may answer, whatever their role.
    const called = waiting.some(({ id }) => this.house.ledger.pagesOf(id).some(({ user }) => user === input.sender));
    if (input.joined && (called || roleAtLeast(person?.role, 'operator'))) {
      this.acknowledge(waiting, { by: input.sender, forMs: this.house.ackTimeoutMs, way: '👍' });
    } else {
      const draft = this.#begin();
      this.#audit(draft, input.sender, 'ack', 'denied', waiting, { way: '👍' });
      draft.commit();
    }
    return true;
  }

  /** Acknowledges all of these that are open; gives those that changed. `thread`: where it is said anyway. */
  acknowledge(
    incidents: readonly Incident[],
    ack: { by: UserId; forMs: number; way: string; thread?: string | undefined },
  ): Incident[] {
    const draft = this.#begin();
    const { by, way } = ack;
    const until = draft.now + ack.forMs;
    const posts = new Map<number, Incident[]>();
    const changed: Incident[] = [];
    for (const incident of incidents) {
      const step = live(incident, { kind: 'ack', by, until }, draft.now, this.house.rules);
      if (step === undefined) continue;
      const next = draft.put(
        step.incident,
        `${step.said} until ${formatMoment(until, this.house.timezone)} (${way})`,
        by,
      );
      changed.push(next);
      if (next.message === undefined) continue;
      draft.touch(next.message);
      const members = posts.get(next.message);
      if (members === undefined) posts.set(next.message, [next]);
      else members.push(next);
    }
    for (const [post, members] of posts) {
      const text = `👍 ${by} acknowledged ${namesOf(members)} until ${formatMoment(until, this.house.timezone, draft.now)}.`;
      const [first] = members;
      if (first !== undefined) timeline(this.house, draft, post, first, { text, told: ack.thread });
    }
    if (changed.length === 0) return [];
    this.#audit(draft, by, 'ack', 'done', changed, { until, way });
    this.#finish(draft, new Set(posts.keys()));
    dropPages(this.house, changed);
    return changed;
  }

  /** An incident in somebody's own words, rung at once. The same words again within a minute are the same page. */
  summon(signal: Signal, by: UserId): Incident {
    const draft = this.#begin();
    const { rules, ledger } = this.house;
    const known = draft.byKey(signal.site, signal.key);
    const open = known !== undefined && isOpen(known) ? known : undefined;
    if (open !== undefined && draft.now - open.seenAt < samePageMs) return open;
    let incident: Incident;
    if (open?.message !== undefined) {
      const again = live({ ...open, seenAt: draft.now }, { kind: 'ring' }, draft.now, rules);
      incident = draft.put(again?.incident ?? open, 'paged again', by);
      draft.paid.add(open.message);
      draft.touch(open.message);
    } else {
      const begun = beginIncident(signal, ledger.reserve('incident'), draft.now, { ...rules, firstPageAfterMs: 0 });
      incident = draft.begin(begun, 'opened', by);
      postGroup(this.house, draft, [incident]);
    }
    draft.overspend(2);
    ring(this.house, draft, [incident]);
    this.#audit(draft, by, 'page', 'done', [incident], { to: signal.labels['to'] ?? '' });
    this.#finish(draft);
    return draft.see(incident);
  }

  #begin(now: EpochMs = this.house.clock.now()): AlertDraft {
    return new AlertDraft(this.house.ledger, this.house.pace, now);
  }

  #finish(draft: AlertDraft, urgent?: ReadonlySet<number>): void {
    drawFresh(this.house, draft);
    redraw(this.house, draft, urgent);
    draft.commit();
    const wakes = draft.changed().map((incident) => wakesAt(incident) ?? Infinity);
    this.#wakeAt = wakes.reduce((a, b) => Math.min(a, b), Math.min(this.#wakeAt, postsWakeAt(this.house, draft)));
  }

  #audit(
    draft: AlertDraft,
    actor: UserId,
    act: string,
    outcome: string,
    about: readonly Incident[],
    detail: Json,
  ): void {
    const [first] = about;
    draft.audit({
      at: draft.now,
      actor,
      site: first?.site ?? this.house.site,
      run: undefined,
      incident: about.length === 1 ? first?.id : undefined,
      act,
      outcome,
      detail: { incidents: about.map((incident) => incidentName(incident.id)), detail },
    });
  }
}
