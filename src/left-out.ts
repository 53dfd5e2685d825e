import type { BotInfo } from '#domain/bot.ts';
import type { Clock, EpochMs } from '#domain/clock.ts';
import type { Ledger } from '#domain/ledger.ts';
import { formatMoment } from '#domain/moment.ts';
import { say } from '#engine/speak.ts';

const id = 'left-out';

/** More was said while the bot was away than it reads: a command among what is left out must not look as if it was taken. */
export function tellLeftOut(ledger: Ledger, bot: BotInfo, clock: Clock, before: EpochMs): void {
  const at = clock.now();
  const where = { room: bot.opsRoom, thread: undefined, event: undefined };
  const address = { site: bot.site, where, lane: 'notices', about: { kind: 'notice' as const, id }, at };
  const reply = {
    title: `⚠️ While I was away more was said here than I can read. Of what came before ${formatMoment(before, bot.timezone, at)} I know nothing.`,
    blocks: [{ kind: 'text' as const, lines: ['Was a command among it? It was not run: please type it again.'] }],
  };
  ledger.commit({ at, outbox: [say(ledger, address, reply, { kind: 'notice' }, { collapse: id })] });
}
