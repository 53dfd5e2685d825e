import type { UserId } from './accounts.ts';
import type { EpochMs } from './clock.ts';

/** A credential the bot uses; never the secret itself. */
export type TokenStatus = {
  name: string;
  owner: UserId | undefined;
  device: string | undefined;
  /** When it was made, as far as the homeserver tells. */
  issuedAt: EpochMs | undefined;
  works: boolean;
  note: string | undefined;
};

export interface Tokens {
  status(): Promise<TokenStatus[]>;
}
