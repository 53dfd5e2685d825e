import { formatDuration } from '#domain/duration.ts';
import type { EpochMs } from '#domain/clock.ts';
import type { Line } from '#domain/messages.ts';
import { delayOf, type OutboxRow } from '#domain/outbox.ts';

/** What reached the room within this is not called late. */
const worthSayingMs = 120_000;

/** An alert or a page that the room hears late says how late it is, and whether it went out another way meanwhile. */
export function withDelay(row: OutboxRow, now: EpochMs): OutboxRow {
  const { content } = row;
  const late = delayOf(row, now);
  const isAlert = row.about.kind === 'incident' && row.replaces === undefined;
  if (content.kind !== 'message' || !isAlert || late < worthSayingMs) return row;
  const spans = Array.isArray(content.reply.title) ? content.reply.title : [content.reply.title];
  const way = row.fallbackAt === undefined ? '' : ', sent another way meanwhile';
  const title: Line = [...spans, ` (delayed ${formatDuration(late - (late % 60_000))}${way})`];
  return { ...row, content: { ...content, reply: { ...content.reply, title } } };
}
