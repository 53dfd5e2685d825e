import { Envelopes } from '#adapters/matrix/crypto/envelopes.ts';
import type { MatrixSession } from '#adapters/matrix/open.ts';
import type { Clock } from '#domain/clock.ts';
import { asOpsError, type OpsError } from '#domain/errors.ts';
import type { Ledger } from '#domain/ledger.ts';
import type { Log } from '#domain/log.ts';
import { mayLogIn } from './new-login.ts';
import type { Settings } from './settings.ts';

const patienceMs = 5000;

/** What reads and writes encrypted rooms. Throws `misconfigured` when the ops room is encrypted and its keys can't be had. */
export async function openEnvelopes(options: {
  settings: Settings;
  matrix: MatrixSession;
  ledger: Ledger;
  clock: Clock;
  log: Log;
  offline: boolean;
  hears: () => boolean;
  /** The bot begins anew; keys that are lost are cured by that. */
  again: () => void;
}): Promise<Envelopes> {
  const { settings, matrix, ledger, clock, log, offline, hears, again } = options;
  const { encryption: mode, password } = settings.matrix;
  let starting = true;
  const fatal = (why: OpsError): void => {
    log.error({ why: why.message }, 'the bot ends, and is to be started again');
    // Out of the promise that nobody could answer for: the process ends with it.
    queueMicrotask(() => {
      throw why;
    });
  };
  const envelopes = new Envelopes({
    request: matrix.connection.request,
    user: matrix.bot,
    password: password?.reveal(),
    dataDir: settings.dataDir,
    mode,
    facts: (room) => ledger.roomFacts(room),
    hears,
    noted: () => ledger.position('keys'),
    clock,
    log,
    fatal,
    // A start logs in anew; without a password a restart would change nothing, and pages may still go other ways.
    lost: (why) => {
      if (starting || !mayLogIn(settings)) return;
      log.error({ why: why.message }, 'the bot begins anew, as a new device');
      again();
    },
  });
  if (offline || mode === 'off') return envelopes;
  const open = async (): Promise<void> => {
    const known = ledger.roomFacts(matrix.room)?.encrypted;
    if (envelopes.hasKeys || (known ?? (await envelopes.isEncrypted(matrix.room)))) await envelopes.cipher();
  };
  const given = new AbortController();
  try {
    // A homeserver that doesn't answer must not keep the webhooks shut.
    await Promise.race([open(), clock.sleep(patienceMs, given.signal).catch(() => {})]);
  } catch (error) {
    const ops = asOpsError(error);
    if (ops.kind !== 'unavailable' && ops.kind !== 'limited') throw ops;
    log.error({ why: ops.message }, 'the keys of encrypted rooms are not open yet; the bot keeps trying');
  } finally {
    starting = false;
    given.abort();
  }
  return envelopes;
}
