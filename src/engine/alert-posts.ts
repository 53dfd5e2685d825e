import type { EpochMs } from '#domain/clock.ts';
import { sha256Hex } from '#domain/canonical.ts';
import { pages } from '#domain/incident-life.ts';
import { type Incident, incidentName, isOpen } from '#domain/incidents.ts';
import { affordableAt } from '#domain/alert-budget.ts';
import type { AlertDraft } from './alert-draft.ts';
import type { AlertHouse } from './alert-house.ts';

// Which message shows which incidents. A message is the outbox row that it was first said by: a group's, or a digest's
// when there are more groups at once than the room can take.

const eventsFor = (members: readonly Incident[]): number => (members.some(wantsPage) ? 2 : 1);
const wantsPage = (incident: Incident): boolean => isOpen(incident) && pages(incident.severity);

/** The newest incidents of a group tell where it is shown; a whole flood of one group need not be read for that. */
const newestLooked = 25;

function groupPost(house: AlertHouse, draft: AlertDraft, group: string): number | 'waiting' | undefined {
  const stored = house.ledger.incidents({ group, open: true, limit: newestLooked });
  const open = stored.map((incident) => draft.see(incident)).filter(isOpen);
  const shown = open.find((incident) => incident.message !== undefined);
  return shown?.message ?? (open.some((incident) => incident.unsaid) ? 'waiting' : undefined);
}

function byGroup(incidents: readonly Incident[]): Incident[][] {
  const groups = new Map<string, Incident[]>();
  for (const incident of incidents) {
    const members = groups.get(incident.group);
    if (members === undefined) groups.set(incident.group, [incident]);
    else members.push(incident);
  }
  return [...groups.values()];
}

function join(draft: AlertDraft, members: readonly Incident[], post: number): void {
  for (const incident of members) draft.put({ ...incident, message: post, unsaid: false });
  draft.touch(post, true);
}

function newPost(house: AlertHouse, draft: AlertDraft, members: readonly Incident[], lane: string): number {
  const post = house.ledger.reserve('outbox');
  draft.fresh.set(post, { lane });
  draft.paid.add(post);
  for (const incident of members) draft.put({ ...incident, message: post, unsaid: false });
  return post;
}

/** A message for this group, whatever the budget says. */
export function postGroup(house: AlertHouse, draft: AlertDraft, members: readonly Incident[]): number {
  return newPost(house, draft, members, `incident-group:${sha256Hex(members[0]?.group ?? '').slice(0, 16)}`);
}

/** New incidents: into their group's message, into a new one while the budget lasts, else they wait for the digest. */
export function sayAtOnce(house: AlertHouse, draft: AlertDraft, incidents: readonly Incident[]): void {
  const reopened = new Map<string, number>();
  for (const { group, message, state } of draft.changed()) {
    if (message !== undefined && state !== 'closed') reopened.set(group, message);
  }
  for (const members of byGroup(incidents)) {
    const group = members[0]?.group ?? '';
    const post = reopened.get(group) ?? groupPost(house, draft, group);
    if (typeof post === 'number') join(draft, members, post);
    else if (post === undefined && draft.spend(eventsFor(members))) postGroup(house, draft, members);
    else draft.memory.waiting = { firstAt: draft.memory.waiting?.firstAt ?? draft.now, lastAt: draft.now };
  }
}

/** What waits is said when nothing new came for a moment: one group by itself, many as a digest. */
export function sayWaiting(house: AlertHouse, draft: AlertDraft): void {
  const { memory, now } = draft;
  const { pace } = house;
  if (memory.waiting === null) return;
  const groups = byGroup(house.ledger.incidents({ unsaid: true }).map((incident) => draft.see(incident)));
  const settled = now >= memory.waiting.lastAt + pace.settleMs || now >= memory.waiting.firstAt + pace.settleAtMostMs;
  const cost = groups.reduce((sum, members) => sum + eventsFor(members), 0);
  const [first] = groups;
  if (first !== undefined) {
    if (draft.spend(cost)) for (const members of groups) postGroup(house, draft, members);
    else if (!settled) return;
    else if (groups.length > 1) digest(house, draft, groups.flat());
    else {
      draft.overspend(cost);
      postGroup(house, draft, first);
    }
  }
  memory.waiting = null;
}

function digest(house: AlertHouse, draft: AlertDraft, members: Incident[]): void {
  const current = draft.memory.digest;
  const young = current !== null && draft.now - current.at < house.pace.digestMs;
  if (young && draft.membersOf(current.row).some(isOpen)) return join(draft, members, current.row);
  draft.overspend(eventsFor(members));
  const row = newPost(house, draft, members, `incident-digest:${members[0]?.id ?? 0}`);
  draft.memory.digest = { row, at: draft.now };
}

/** When what waits and what is out of date has to be looked at. */
export function postsWakeAt(house: AlertHouse, draft: AlertDraft): EpochMs {
  const { budget, waiting, posts } = draft.memory;
  const { pace } = house;
  const settles =
    waiting === null ? Infinity : Math.min(waiting.lastAt + pace.settleMs, waiting.firstAt + pace.settleAtMostMs);
  const turn = affordableAt(budget, pace, 1);
  const edits = Object.values(posts).map(({ dirtyAt }) =>
    dirtyAt === null ? Infinity : Math.min(dirtyAt + pace.editAtMostMs, Math.max(turn, dirtyAt)),
  );
  return Math.min(settles, ...edits);
}

/**
 * A line in the thread of a message, if that one has been sent and the budget allows; the log has it anyway. `told`: the
 * thread whose readers know it already.
 */
export function timeline(
  house: AlertHouse,
  draft: AlertDraft,
  post: number,
  incident: Incident,
  line: { text: string; told?: string | undefined },
): void {
  const root = house.ledger.outboxRow(post);
  if (root?.eventId === undefined || root.eventId === line.told || !draft.spend(1)) return;
  draft.say({
    id: house.ledger.reserve('outbox'),
    site: incident.site,
    about: { kind: 'incident', id: incident.id },
    lane: `incident-thread:${post}`,
    collapse: undefined,
    room: root.room,
    thread: root.eventId,
    inReplyTo: undefined,
    replaces: undefined,
    content: {
      kind: 'message',
      rings: false,
      reply: { title: line.text, verdict: 'none' },
      mentions: [],
      mark: { kind: 'notice', incident: incidentName(incident.id) },
    },
    dueAt: draft.now,
  });
}
