import type { EpochMs } from './clock.ts';

/** How many events the alerts may put into the room. Edits, pages and files are events too. */
export type AlertPace = {
  /** New events at once. */
  burst: number;
  /** One more each. */
  everyMs: number;
  /** A digest is written when nothing new came for this long… */
  settleMs: number;
  /** …and at the latest this long after the first alert that waits. */
  settleAtMostMs: number;
  /** An edit waits for its turn at most this long. */
  editAtMostMs: number;
  /** A further digest is begun when the last one is older than this. */
  digestMs: number;
};

// Synapse's default lets an account send 10 events at once and then one in 5 s, for commands' answers too. 2,000 alerts
// in 5 s cost 4 events at once, 3 for the digest (with page and file) and 2 for its last edit.
export const defaultPace: AlertPace = {
  burst: 4,
  everyMs: 20_000,
  settleMs: 1500,
  settleAtMostMs: 5000,
  editAtMostMs: 30_000,
  digestMs: 1_800_000,
};

/** A bucket of tokens, as it was at a time. Below zero: what had to be said at once is paid back later. */
export type Budget = { tokens: number; at: EpochMs };

const refilled = (budget: Budget, pace: AlertPace, now: EpochMs): Budget => {
  const gained = Math.max(0, now - budget.at) / pace.everyMs;
  return { tokens: Math.min(pace.burst, budget.tokens + gained), at: now };
};

/** The budget without these tokens; undefined when it hasn't as many. */
export function spend(budget: Budget, pace: AlertPace, now: EpochMs, tokens: number): Budget | undefined {
  const full = refilled(budget, pace, now);
  return full.tokens >= tokens ? { tokens: full.tokens - tokens, at: now } : undefined;
}

/** For what can't wait: goes into debt, by one burst at most. */
export function overspend(budget: Budget, pace: AlertPace, now: EpochMs, tokens: number): Budget {
  const full = refilled(budget, pace, now);
  return { tokens: Math.max(-pace.burst, full.tokens - tokens), at: now };
}

/** The first moment at which `tokens` can be spent. */
export function affordableAt(budget: Budget, pace: AlertPace, tokens: number): EpochMs {
  return budget.at + Math.max(0, tokens - budget.tokens) * pace.everyMs;
}
