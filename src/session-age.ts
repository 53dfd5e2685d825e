import { sha256Hex } from '#domain/canonical.ts';
import type { Clock, EpochMs } from '#domain/clock.ts';
import type { Ledger } from '#domain/ledger.ts';
import type { Secret } from '#domain/secret.ts';

const name = 'session';

/**
 * Since when the bot speaks with this access token. Another token may be another session, and a homeserver knows
 * transactions by session. Only a short hash of the token is kept.
 */
export function sessionSince(ledger: Ledger, clock: Clock, token: Secret): EpochMs {
  const mark = sha256Hex(`opsroom session ${token.reveal()}`).slice(0, 12);
  const known = ledger.switch(name) as { mark: string; since: EpochMs } | undefined;
  if (known?.mark === mark) return known.since;
  const since = clock.now();
  ledger.commit({ at: since, switches: [{ name, value: { mark, since } }] });
  return since;
}
