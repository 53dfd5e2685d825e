import type { BotInfo } from '#domain/bot.ts';
import type { Clock } from '#domain/clock.ts';
import type { Ledger } from '#domain/ledger.ts';
import type { Log } from '#domain/log.ts';
import { say } from '#engine/speak.ts';

const told = 'told-encrypted';

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
