import { type AlertPace, overspend, spend } from '#domain/alert-budget.ts';
import type { UserId } from '#domain/accounts.ts';
import type { EpochMs } from '#domain/clock.ts';
import type { AuditEntry } from '#domain/audit.ts';
import type { Incident, IncidentLogEntry, Page } from '#domain/incidents.ts';
import type { Change, Ledger } from '#domain/ledger.ts';
import type { NewOutboxRow } from '#domain/outbox.ts';
import { type AlertMemory, memoryChange, postMemory, readMemory } from './alert-memory.ts';

/** One Change about incidents in the making: what was changed so far lies over what is stored. */
export class AlertDraft {
  readonly now: EpochMs;
  readonly memory: AlertMemory;
  /** Posts that are new in this draft: drawn at its end. */
  readonly fresh = new Map<number, { lane: string }>();
  /** Posts whose page the budget has been charged for already. */
  readonly paid = new Set<number>();
  readonly pages: Page[] = [];
  readonly #ledger: Ledger;
  readonly #pace: AlertPace;
  readonly #stored: string;
  readonly #incidents = new Map<number, Incident>();
  readonly #keys = new Map<string, number>();
  readonly #log: IncidentLogEntry[] = [];
  readonly #outbox: NewOutboxRow[] = [];
  readonly #audit: AuditEntry[] = [];

  constructor(ledger: Ledger, pace: AlertPace, now: EpochMs) {
    this.#ledger = ledger;
    this.#pace = pace;
    this.now = now;
    const { memory, stored } = readMemory(ledger, pace.burst);
    this.memory = memory;
    this.#stored = stored;
  }

  /** As it is in this draft. */
  see(incident: Incident): Incident {
    return this.#incidents.get(incident.id) ?? incident;
  }

  byKey(site: string, key: string): Incident | undefined {
    const id = this.#keys.get(`${site} ${key}`);
    return id === undefined ? this.#ledger.lastIncidentByKey(site, key) : this.#incidents.get(id);
  }

  /** Takes its next state. However often it changes here, its stored revision moves by one. */
  put(incident: Incident, said?: string, actor?: UserId): Incident {
    const next = { ...incident, rev: this.#incidents.get(incident.id)?.rev ?? incident.rev + 1 };
    this.#incidents.set(next.id, next);
    this.#keys.set(`${next.site} ${next.key}`, next.id);
    if (said !== undefined) this.note(next.id, said, actor);
    return next;
  }

  /** A new incident. */
  begin(incident: Incident, said: string, actor?: UserId): Incident {
    this.#incidents.set(incident.id, incident);
    return this.put(incident, said, actor);
  }

  note(incident: number, what: string, actor?: UserId): void {
    this.#log.push({ incident, at: this.now, actor, what });
  }

  /** All that a message shows, closed ones too, oldest first. */
  membersOf(post: number): Incident[] {
    const stored = this.fresh.has(post) ? [] : this.#ledger.incidents({ message: post });
    const ids = new Set(stored.map((incident) => incident.id));
    const joined = [...this.#incidents.values()].filter(
      (incident) => incident.message === post && !ids.has(incident.id),
    );
    return [...stored.map((incident) => this.see(incident)), ...joined]
      .filter((incident) => incident.message === post)
      .toSorted((a, b) => a.id - b.id);
  }

  changed(): Incident[] {
    return [...this.#incidents.values()];
  }

  say(row: NewOutboxRow): void {
    this.#outbox.push(row);
  }

  audit(entry: AuditEntry): void {
    this.#audit.push(entry);
  }

  /** What this message says is out of date. */
  touch(post: number, grew = false): void {
    const before = postMemory(this.memory, post);
    this.memory.posts[post] = { ...before, dirtyAt: before.dirtyAt ?? this.now, grew: before.grew || grew };
  }

  spend(events: number): boolean {
    const left = spend(this.memory.budget, this.#pace, this.now, events);
    if (left !== undefined) this.memory.budget = left;
    return left !== undefined;
  }

  overspend(events: number): void {
    this.memory.budget = overspend(this.memory.budget, this.#pace, this.now, events);
  }

  /** Writes all of it at once, or nothing when nothing changed. */
  commit(): void {
    const switches = memoryChange(this.memory, this.#stored);
    const change: Change = {
      at: this.now,
      incidents: this.changed(),
      incidentLog: this.#log,
      pages: this.pages,
      outbox: this.#outbox,
      audit: this.#audit,
      switches,
    };
    const lists = [change.incidents, change.incidentLog, change.outbox, change.audit, switches];
    if (lists.some((list) => list !== undefined && list.length > 0)) this.#ledger.commit(change);
  }
}
