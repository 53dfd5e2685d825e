import type { UserId } from '#domain/accounts.ts';
import { type PageReason, pageReply } from '#domain/alert-text.ts';
import type { EpochMs } from '#domain/clock.ts';
import { dueAfter } from '#domain/escalation.ts';
import { live } from '#domain/incident-life.ts';
import { type Incident, incidentName } from '#domain/incidents.ts';
import type { OutboxRow } from '#domain/outbox.ts';
import type { AlertDraft } from './alert-draft.ts';
import { type AlertHouse, textOf } from './alert-house.ts';
import { timeline } from './alert-posts.ts';

// Calls people: one page for all that is due in one message, never one for each alert.

/** An alert that joins a message whose page was just sent waits at most this long for one of its own. */
const joinAtMostMs = 20_000;
/** Of a digest of thousands this many say in their own log that they were paged. */
const mostLogged = 100;

const isDue = (incident: Incident, now: EpochMs): boolean =>
  (incident.state === 'open' || incident.state === 'paged') &&
  incident.nextAt !== undefined &&
  incident.nextAt <= now &&
  !incident.unsaid;

/** Pages for what is due among the candidates, by message. */
export function ring(house: AlertHouse, draft: AlertDraft, candidates: readonly Incident[]): void {
  const posts = new Map<number, Incident[]>();
  for (const candidate of candidates) {
    const incident = draft.see(candidate);
    if (incident.message === undefined || !isDue(incident, draft.now)) continue;
    const members = posts.get(incident.message);
    if (members === undefined) posts.set(incident.message, [incident]);
    else members.push(incident);
  }
  for (const [post, due] of posts) {
    if (!draft.paid.has(post)) {
      if (due.every((incident) => incident.level === 0)) {
        if (followPage(draft, post, due)) continue;
        const waited = draft.now - Math.min(...due.map((incident) => incident.nextAt ?? draft.now));
        if (!draft.spend(1)) {
          if (waited < joinAtMostMs) continue;
          draft.overspend(1);
        }
      } else draft.overspend(1);
    }
    page(house, draft, post, due);
  }
}

/** Somebody is being called about this message already: the new ones go along with that. */
function followPage(draft: AlertDraft, post: number, due: readonly Incident[]): boolean {
  const { now } = draft;
  const leaders = draft
    .membersOf(post)
    .filter((incident) => incident.state === 'paged' && (incident.nextAt ?? 0) > now);
  const leader = leaders.toSorted((a, b) => b.level - a.level)[0];
  if (leader?.nextAt === undefined) return false;
  for (const incident of due) draft.put({ ...incident, state: 'paged', level: leader.level, nextAt: leader.nextAt });
  return true;
}

function audienceOf(house: AlertHouse, draft: AlertDraft, due: readonly Incident[]): UserId[] {
  const users = new Set<UserId>();
  const levels = new Set<number>();
  for (const incident of due) {
    const to = incident.source === 'person' && incident.level === 0 ? incident.labels['to'] : undefined;
    if (to?.startsWith('@')) users.add(to as UserId);
    else levels.add(incident.level);
    // Their acknowledgement ran out: they hear of it, whoever is on call by now.
    if (incident.level === 0 && incident.ackedBy !== undefined) users.add(incident.ackedBy);
  }
  for (const level of levels) for (const user of house.onCall.audience(level, draft.now)) users.add(user);
  return [...users];
}

function page(house: AlertHouse, draft: AlertDraft, post: number, due: readonly Incident[]): void {
  const { ledger, onCall } = house;
  const { now } = draft;
  const first = due[0];
  if (first === undefined) return;
  const step = Math.max(...due.map((incident) => incident.level));
  const reason: PageReason = due.some((i) => i.ackedBy !== undefined)
    ? 'ack-ran-out'
    : step > 0
      ? 'unanswered'
      : 'first';
  const waiting = waitingPage(house, first);
  // A page that nobody could get yet (Matrix was down) is replaced by this one, for the people of both.
  const before = waiting?.content.kind === 'message' ? waiting.content.mentions : [];
  const users = [...new Set([...before, ...audienceOf(house, draft, due)])];
  const id = ledger.reserve('outbox');
  const lane = `page:${first.id}`;
  draft.say({
    id,
    site: first.site,
    about: { kind: 'incident', id: first.id },
    lane,
    collapse: lane,
    room: house.room,
    thread: undefined,
    inReplyTo: ledger.outboxRow(post)?.eventId,
    replaces: undefined,
    content: {
      kind: 'message',
      rings: true,
      reply: pageReply(due, { reason, step, noRota: !onCall.hasRota }, textOf(house, now)),
      mentions: users,
      mark: { kind: 'page', incident: incidentName(first.id) },
    },
    dueAt: now,
  });
  for (const [at, incident] of due.entries()) {
    // The first page counts from when it was said, so that all of a message stay in step.
    const dueAt = incident.level === 0 ? now : (incident.nextAt ?? now);
    const nextAt = dueAfter(onCall.escalation, incident.level, dueAt, now);
    const next = live(incident, { kind: 'paged', level: incident.level + 1, nextAt }, now, house.rules);
    if (next === undefined) continue;
    draft.put(next.incident);
    if (at >= mostLogged) continue;
    draft.note(incident.id, `paged ${users.join(', ')} (step ${incident.level + 1})`);
    for (const user of users) {
      const outbox = waiting?.id ?? id;
      draft.pages.push({
        incident: incident.id,
        level: incident.level,
        user,
        way: 'matrix',
        outbox,
        at: now,
        outcome: undefined,
      });
    }
  }
  if (draft.fresh.has(post)) return;
  draft.touch(post);
  if (step > 0) {
    timeline(house, draft, post, first, { text: `🔔 Paged ${users.join(', ')}, step ${step + 1}.` });
  }
}

function waitingPage(house: AlertHouse, incident: Incident): OutboxRow | undefined {
  const last = incident.level === 0 ? undefined : house.ledger.pagesOf(incident.id).at(-1);
  const row = last === undefined ? undefined : house.ledger.outboxRow(last.outbox);
  return row?.state === 'pending' && row.attempts === 0 && row.lane === `page:${incident.id}` ? row : undefined;
}

/**
 * Pages not said yet about what is answered or over by now are not said. After the commit of what answered them. One that
 * was tried in vain, or went out another way, is told of when the room is back.
 */
export function dropPages(house: AlertHouse, answered: readonly Incident[]): void {
  const rows = new Set<number>();
  for (const { id, level } of answered) {
    if (level > 0) for (const { outbox } of house.ledger.pagesOf(id)) rows.add(outbox);
  }
  for (const id of rows) {
    const row = house.ledger.outboxRow(id);
    if (row?.state !== 'pending') continue;
    const first = house.ledger.incident(Number(row.about.id));
    const others = first?.message === undefined ? [] : house.ledger.incidents({ message: first.message });
    if (!others.some((incident) => incident.state === 'paged')) {
      const missed = row.attempts > 0 || row.fallbackAt !== undefined;
      house.ledger.settleOutbox(id, missed ? 'missed' : 'dropped', { error: 'answered before it could be sent' });
    }
  }
}
