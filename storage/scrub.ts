import type { Batch, NewInboxItem } from '#domain/inbox.ts';
import type { Change } from '#domain/ledger.ts';
import type { Outgoing } from '#domain/messages.ts';
import type { Scrubber } from '#domain/scrubber.ts';

/**
 * The change as it may be stored and said: nothing that a person or a program reads later holds a secret. Plans, ids and
 * hashes stay as they are: the confirmation is bound to them, and what they are made of was scrubbed when it came in.
 */
export function scrubChange(change: Change, scrubber: Scrubber): Change {
  const clean = { ...change };
  if (change.outbox) {
    clean.outbox = change.outbox.map((row) => ({ ...row, content: scrubOutgoing(row.content, scrubber) }));
  }
  if (change.audit) {
    clean.audit = change.audit.map((entry) => ({ ...entry, detail: scrubber.value(entry.detail) }));
  }
  if (change.runs) clean.runs = change.runs.map((run) => ({ ...run, reason: scrubber.value(run.reason) }));
  if (change.steps) clean.steps = scrubber.value(change.steps);
  if (change.incidentLog) clean.incidentLog = scrubber.value(change.incidentLog);
  if (change.incidents) {
    clean.incidents = change.incidents.map((incident) => ({
      ...incident,
      name: scrubber.text(incident.name),
      title: scrubber.text(incident.title),
      labels: scrubber.value(incident.labels),
    }));
  }
  return clean;
}

const scrubOutgoing = (content: Outgoing, scrubber: Scrubber): Outgoing =>
  content.kind === 'message' ? { ...content, reply: scrubber.value(content.reply) } : content;

/** What was asked, without the secrets that somebody typed into it. */
export const scrubBatch = (batch: Batch, scrubber: Scrubber): Batch => ({
  ...batch,
  items: batch.items.map((item) => scrubItem(item, scrubber)),
});

export const scrubItem = (item: NewInboxItem, scrubber: Scrubber): NewInboxItem => ({
  ...item,
  body: scrubber.value(item.body),
});
