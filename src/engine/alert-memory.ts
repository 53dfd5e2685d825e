import type { Budget } from '#domain/alert-budget.ts';
import { canonicalJson, type Json } from '#domain/canonical.ts';
import type { EpochMs } from '#domain/clock.ts';
import type { Ledger } from '#domain/ledger.ts';

/** What has to be remembered of one message about alerts, beside the incidents that it shows. */
export type PostMemory = {
  /** Since when what it says is out of date. */
  dirtyAt: EpochMs | null;
  /** Alerts came to it that it doesn't show. */
  grew: boolean;
  /** The outbox row of its last edit. */
  edit: number | null;
};

/** Kept in the ledger, in the same Change as what it is about: a restart in between changes nothing. */
export type AlertMemory = {
  budget: Budget;
  /** When the first and the last of the incidents came that no message shows yet. */
  waiting: { firstAt: EpochMs; lastAt: EpochMs } | null;
  digest: { row: number; at: EpochMs } | null;
  posts: { [row: string]: PostMemory };
};

const name = 'alerts';

export function readMemory(ledger: Ledger, burst: number): { memory: AlertMemory; stored: string } {
  const value = ledger.switch(name) as AlertMemory | undefined;
  const memory = value ?? { budget: { tokens: burst, at: 0 }, waiting: null, digest: null, posts: {} };
  return { memory, stored: canonicalJson(memory) };
}

/** What to write; nothing when it is as it was. */
export function memoryChange(memory: AlertMemory, stored: string): Array<{ name: string; value: Json }> {
  return canonicalJson(memory) === stored ? [] : [{ name, value: memory }];
}

export const postMemory = (memory: AlertMemory, row: number): PostMemory =>
  memory.posts[row] ?? { dirtyAt: null, grew: false, edit: null };
