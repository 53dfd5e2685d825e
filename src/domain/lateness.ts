import type { EpochMs } from './clock.ts';
import type { InboxItem } from './inbox.ts';

/** A change that was sent longer ago than this, while the bot was away, is asked about before it is run. room.md. */
const askLateMs = 120_000;
/** And longer ago than this it is listed and not run. */
const listLateMs = 600_000;
/** As far as two clocks may be apart before a time is no longer believed. */
const skewMs = 60_000;

/**
 * How long ago, at most, something was sent that was not heard at once. The time it bears is its server's word: believed
 * for the own server only, and never beyond what the bot knows, which is how long it did not listen.
 */
export function lateBy(item: { sentAt: EpochMs; takenAt: EpochMs; awayMs: number; ownServer: boolean }): number {
  const awayMs = Math.max(0, item.awayMs);
  const ageMs = item.takenAt - item.sentAt;
  if (!item.ownServer || ageMs < -skewMs) return awayMs;
  return Math.min(awayMs, Math.max(0, ageMs));
}

/** What lateness means for a change now; it may also have lain here, untouched, since it was taken. */
export function judgeLateness(
  item: Pick<InboxItem, 'source' | 'lateMs' | 'takenAt'>,
  now: EpochMs,
): { verdict: 'run' | 'ask' | 'list'; lateMs: number } {
  // A schedule knows by itself what it missed, and somebody sits at the shell.
  if (item.source !== 'matrix') return { verdict: 'run', lateMs: 0 };
  const lateMs = item.lateMs + Math.max(0, now - item.takenAt);
  return { verdict: lateMs > listLateMs ? 'list' : lateMs > askLateMs ? 'ask' : 'run', lateMs };
}
