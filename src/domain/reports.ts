import type { Reply } from './messages.ts';

/** The scheduled reports; the engine implements it. */
export interface Reports {
  daily(): Promise<Reply>;
}
