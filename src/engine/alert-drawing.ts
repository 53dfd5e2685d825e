import { type PagedNote, postReply } from '#domain/alert-text.ts';
import { type Incident, incidentName } from '#domain/incidents.ts';
import type { Reply } from '#domain/messages.ts';
import type { NewOutboxRow, OutboxRow } from '#domain/outbox.ts';
import type { AlertDraft } from './alert-draft.ts';
import { type AlertHouse, textOf } from './alert-house.ts';
import { postMemory } from './alert-memory.ts';

// Writes what a message about alerts says: once when it is new, then as edits within the budget.

/** The last page about these incidents, as far as they have not been answered. */
function pagedNote(house: AlertHouse, draft: AlertDraft, members: readonly Incident[]): PagedNote | undefined {
  const paged = members.find((incident) => incident.state === 'paged');
  if (paged === undefined) return undefined;
  const drafted = draft.pages.filter((page) => page.incident === paged.id);
  const all = drafted.length > 0 ? drafted : house.ledger.pagesOf(paged.id);
  const last = all.at(-1);
  if (last === undefined) return undefined;
  const users = all.filter((page) => page.at === last.at).map((page) => page.user);
  return { users: [...new Set(users)], at: last.at, nextAt: paged.nextAt };
}

const isUntried = (row: OutboxRow | undefined): row is OutboxRow => row?.state === 'pending' && row.attempts === 0;
const hasFile = (row: OutboxRow): boolean =>
  row.content.kind === 'message' && (row.content.reply.files?.length ?? 0) > 0;

function rowFor(
  house: AlertHouse,
  draft: AlertDraft,
  members: readonly Incident[],
  reply: Reply,
): Omit<NewOutboxRow, 'id' | 'lane'> {
  const first = members[0];
  return {
    site: first?.site ?? house.site,
    about: { kind: 'incident', id: first?.id ?? 0 },
    collapse: undefined,
    room: house.room,
    thread: undefined,
    inReplyTo: undefined,
    replaces: undefined,
    content: {
      kind: 'message',
      rings: false,
      reply,
      mentions: [],
      mark: { kind: 'notice', ...(first === undefined ? {} : { incident: incidentName(first.id) }) },
    },
    dueAt: draft.now,
  };
}

/** Draws the messages that are new in this draft. The last thing before the commit: it shows what was paged. */
export function drawFresh(house: AlertHouse, draft: AlertDraft): void {
  for (const [post, { lane }] of draft.fresh) {
    const members = draft.membersOf(post);
    const paged = pagedNote(house, draft, members);
    const { reply, fits } = postReply(members, { file: true, paged }, textOf(house, draft.now));
    if (!fits) draft.overspend(1);
    draft.say({ ...rowFor(house, draft, members, reply), id: post, lane });
    delete draft.memory.posts[post];
  }
}

/**
 * Edits the messages that are out of date: those in `urgent` now, the others when the budget allows or they have waited
 * long enough.
 */
export function redraw(house: AlertHouse, draft: AlertDraft, urgent: ReadonlySet<number> = new Set()): void {
  for (const [key, { dirtyAt, edit }] of Object.entries(draft.memory.posts)) {
    const post = Number(key);
    if (dirtyAt === null) {
      // Only needed while its last edit may still be overwritten.
      if (edit === null || !isUntried(house.ledger.outboxRow(edit))) delete draft.memory.posts[key];
      continue;
    }
    const root = house.ledger.outboxRow(post);
    const overwritten = [root, edit === null ? undefined : house.ledger.outboxRow(edit)].find(isUntried);
    const due = urgent.has(post) || draft.now >= dirtyAt + house.pace.editAtMostMs;
    if (overwritten === undefined && !draft.spend(1)) {
      if (!due) continue;
      draft.overspend(1);
    }
    drawEdit(house, draft, post, root, overwritten);
  }
}

function drawEdit(
  house: AlertHouse,
  draft: AlertDraft,
  post: number,
  root: OutboxRow | undefined,
  overwritten: OutboxRow | undefined,
): void {
  const members = draft.membersOf(post);
  if (members.length === 0) {
    delete draft.memory.posts[post];
    return;
  }
  // Never said (the room refused it for good): its incidents are said anew.
  const lost = root === undefined || root.state === 'failed' || root.state === 'dropped';
  const { grew } = postMemory(draft.memory, post);
  const file = lost || grew || (overwritten !== undefined && hasFile(overwritten));
  const paged = pagedNote(house, draft, members);
  const { reply, fits } = postReply(members, { file, paged }, textOf(house, draft.now));
  if (file && !fits && overwritten === undefined) draft.overspend(1);
  const id = house.ledger.reserve('outbox');
  const row = rowFor(house, draft, members, reply);
  if (lost) {
    for (const incident of members) draft.put({ ...incident, message: id });
    draft.say({ ...row, id, lane: root?.lane ?? `incident-post:${id}` });
    delete draft.memory.posts[post];
    if (draft.memory.digest?.row === post) draft.memory.digest = { row: id, at: draft.now };
    return;
  }
  draft.say({ ...row, id, lane: root.lane, replaces: post, collapse: `edit:${post}` });
  draft.memory.posts[post] = { dirtyAt: null, grew: false, edit: overwritten?.id ?? id };
}
