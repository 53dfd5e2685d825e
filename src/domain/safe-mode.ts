import type { EpochMs } from './clock.ts';

/** Why the bot takes no changes for now, though nobody paused them. Reads, pages and acknowledgements go on. */
export type Closed = { since: EpochMs; why: string; hint: string };

export interface SafeMode {
  closed(): Closed | undefined;
}
