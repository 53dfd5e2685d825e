import type { UserId } from './accounts.ts';
import type { EpochMs } from './clock.ts';

/** A page that goes out because the room can't be reached. */
export type FallbackNotice = {
  /** One line, for a phone's lock screen. */
  title: string;
  text: string;
  /** Who is called. */
  users: UserId[];
  /** As people type them: `a17`. */
  incidents: string[];
  at: EpochMs;
};

/** A way to people that needs no homeserver. */
export interface FallbackWay {
  /** For the log and the room; never with a secret in it. */
  readonly name: string;
  /** Resolves when the other side took it. Throws `unavailable` (try again) or `misconfigured`. */
  tell(notice: FallbackNotice, signal: AbortSignal): Promise<void>;
}
