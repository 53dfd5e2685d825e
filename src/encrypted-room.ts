import { Envelopes } from '#adapters/matrix/crypto/envelopes.ts';
import type { MatrixSession } from '#adapters/matrix/open.ts';
import type { BotInfo } from '#domain/bot.ts';
import type { Clock } from '#domain/clock.ts';
import { asOpsError } from '#domain/errors.ts';
import type { Ledger } from '#domain/ledger.ts';
import type { Log } from '#domain/log.ts';
import { say } from '#engine/speak.ts';
import type { Settings } from './settings.ts';

const told = 'told-encrypted';

/** What reads and writes encrypted rooms. Throws `misconfigured` when the ops room is encrypted and its keys can't be had. */
export async function openEnvelopes(options: {
  settings: Settings;
  matrix: MatrixSession;
  ledger: Ledger;
  clock: Clock;
  log: Log;
}): Promise<Envelopes> {
  const { settings, matrix, ledger, clock, log } = options;
  const envelopes = new Envelopes({
    request: matrix.connection.request,
    user: matrix.bot,
    password: undefined,
    dataDir: settings.dataDir,
    mode: settings.matrix.encryption,
    facts: (room) => ledger.roomFacts(room),
    clock,
    log,
    keyCame: () => {},
    fatal: (why) => {
      log.error({ why: why.message }, 'the bot ends, and is to be started again');
      // Out of the promise that nobody could answer for: the process ends with it.
      queueMicrotask(() => {
        throw why;
      });
    },
  });
  if (!envelopes.hasKeys && ledger.roomFacts(matrix.room)?.encrypted !== true) return envelopes;
  try {
    if (settings.matrix.encryption !== 'off') await envelopes.cipher();
  } catch (error) {
    const ops = asOpsError(error);
    if (ops.kind !== 'unavailable' && ops.kind !== 'limited') throw ops;
    log.error({ why: ops.message }, 'the keys of encrypted rooms are not open yet; the bot keeps trying');
  }
  return envelopes;
}

/** Says once, in the room and in the log, that the room is encrypted and so its commands can't be read. */
export function tellEncrypted(ledger: Ledger, bot: BotInfo, clock: Clock, log: Log): void {
  if (ledger.roomFacts(bot.opsRoom)?.encrypted !== true || ledger.switch(told) === bot.opsRoom) return;
  const at = clock.now();
  const where = { room: bot.opsRoom, thread: undefined, event: undefined };
  const address = { site: bot.site, where, lane: 'notices', about: { kind: 'notice' as const, id: told }, at };
  const reply = {
    title: 'This room is encrypted, and this version cannot read that: commands typed here are not heard.',
    verdict: 'critical' as const,
    blocks: [
      { kind: 'text' as const, lines: ['Alerts and reports still come, in the clear. Use a room without encryption.'] },
    ],
  };
  const message = say(ledger, address, reply, { kind: 'notice' });
  ledger.commit({ at, outbox: [message], switches: [{ name: told, value: bot.opsRoom }] });
  log.error({ room: bot.opsRoom }, 'the ops room is encrypted: its commands cannot be read');
}
