import { Envelopes } from '#adapters/matrix/crypto/envelopes.ts';
import type { MatrixSession } from '#adapters/matrix/open.ts';
import type { BotInfo } from '#domain/bot.ts';
import type { Clock } from '#domain/clock.ts';
import { asOpsError, type OpsError } from '#domain/errors.ts';
import type { Ledger } from '#domain/ledger.ts';
import type { Log } from '#domain/log.ts';
import { say as sayIn } from '#engine/speak.ts';
import { mayLogIn } from './new-login.ts';
import type { Settings } from './settings.ts';
import { tellUnreadable } from './unreadable.ts';

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

/** What people have to know of it, said once: what can't be read, and why commands are not heard. */
export function tellOfEncryption(
  mode: Settings['matrix']['encryption'],
  ledger: Ledger,
  bot: BotInfo,
  clock: Clock,
  log: Log,
): void {
  tellUnreadable(ledger, bot, clock);
  const encrypted = ledger.roomFacts(bot.opsRoom)?.encrypted;
  if (encrypted === true && mode === 'off') {
    once(ledger, bot, clock, log, {
      title: 'This room is encrypted, and the settings say matrix.encryption: off. Commands typed here are not heard.',
      lines: ['Alerts and reports still come, in the clear. Set it to auto, or use a room without encryption.'],
    });
  } else if (encrypted === false && mode === 'required') {
    once(ledger, bot, clock, log, {
      title: 'This room is not encrypted, and the settings say matrix.encryption: required. Commands are refused here.',
      lines: ['Switch encryption on in the settings of this room: it cannot be switched off again.'],
    });
  }
}

const told = 'told-encryption';

function once(ledger: Ledger, bot: BotInfo, clock: Clock, log: Log, say: { title: string; lines: string[] }): void {
  const value = `${bot.opsRoom} ${say.title}`;
  if (ledger.switch(told) === value) return;
  const at = clock.now();
  const where = { room: bot.opsRoom, thread: undefined, event: undefined };
  const address = { site: bot.site, where, lane: 'notices', about: { kind: 'notice' as const, id: told }, at };
  const reply = {
    title: say.title,
    verdict: 'critical' as const,
    blocks: [{ kind: 'text' as const, lines: say.lines }],
  };
  const message = sayIn(ledger, address, reply, { kind: 'notice' });
  ledger.commit({ at, outbox: [message], switches: [{ name: told, value }] });
  log.error({ room: bot.opsRoom }, say.title);
}
