import type { UserId } from '#domain/accounts.ts';
import { hashOf } from '#domain/canonical.ts';
import type { EpochMs } from '#domain/clock.ts';
import { OpsError } from '#domain/errors.ts';
import type { IncidentDesk, OnDuty } from '#domain/incident-desk.ts';
import { type Incident, type IncidentLogEntry, incidentName, isOpen, type Page } from '#domain/incidents.ts';
import { type Alerter, isUnanswered } from './alerter.ts';

/** What commands do with incidents and the rota. */
export class Desk implements IncidentDesk {
  readonly #alerter: Alerter;

  constructor(alerter: Alerter) {
    this.#alerter = alerter;
  }

  get ackForMs(): number {
    return this.#house.ackTimeoutMs;
  }

  get #house(): Alerter['house'] {
    return this.#alerter.house;
  }

  list(filter: { open?: boolean; limit?: number }): Incident[] {
    return this.#house.ledger.incidents(filter);
  }

  find(id: number): { incident: Incident; log: IncidentLogEntry[]; pages: Page[] } | undefined {
    const { ledger } = this.#house;
    const incident = ledger.incident(id);
    return incident && { incident, log: ledger.incidentLog(id), pages: ledger.pagesOf(id) };
  }

  byEvent(event: string): Incident[] {
    return this.#alerter.shownBy(event);
  }

  ack(ids: number[] | 'all', by: UserId, forMs: number, thread?: string): Incident[] {
    const incidents = ids === 'all' ? this.list({ open: true }).filter(isUnanswered) : ids.map((id) => this.#get(id));
    const open = incidents.filter(isOpen);
    if (open.length === 0 && incidents.length > 0) {
      const names = incidents.map((incident) => incidentName(incident.id)).join(', ');
      throw new OpsError('conflict', `${names}: resolved already, so there is nothing to acknowledge.`);
    }
    return this.#alerter.acknowledge(open, { by, forMs, way: '!ack', thread });
  }

  #get(id: number): Incident {
    const incident = this.#house.ledger.incident(id);
    if (incident === undefined) {
      throw new OpsError('notFound', `There is no incident ${incidentName(id)}.`, { hint: '!alerts lists them.' });
    }
    return incident;
  }

  onDuty(): OnDuty[] {
    return this.#house.onCall.onDuty(this.#house.clock.now());
  }

  coming(limit: number): Array<{ layer: string; user: UserId; from: EpochMs }> {
    return this.#house.onCall.coming(this.#house.clock.now(), limit);
  }

  page(to: UserId | 'on-call', text: string, by: UserId): Incident {
    const { ledger, room, site, clock } = this.#house;
    const joined = ledger.roomFacts(room)?.joined;
    if (to !== 'on-call' && joined !== undefined && !joined.includes(to)) {
      throw new OpsError('invalid', `${to} is not in the ops room, so a page would not reach them. Nobody was paged.`, {
        hint: 'Invite them, or page oncall.',
      });
    }
    // The same words are the same trouble: a command that is met again after a crash rings once.
    const key = `person:${hashOf([by, to, text]).slice(0, 32)}`;
    const signal = {
      site,
      source: 'person',
      key,
      group: key,
      firing: true,
      severity: 'critical' as const,
      name: 'Page',
      title: text,
      labels: { from: by, to },
      startedAt: clock.now(),
    };
    return this.#alerter.summon(signal, by);
  }
}
