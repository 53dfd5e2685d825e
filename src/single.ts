import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { MatrixSession } from '#adapters/matrix/open.ts';
import { AccountTenureRecord } from '#adapters/matrix/tenure-record.ts';
import type { BotInfo } from '#domain/bot.ts';
import type { Clock } from '#domain/clock.ts';
import { asOpsError, type OpsError } from '#domain/errors.ts';
import type { Ledger } from '#domain/ledger.ts';
import type { Log } from '#domain/log.ts';
import type { MatrixOpsRoom } from '#adapters/matrix/room.ts';
import type { OutboxRow } from '#domain/outbox.ts';
import { TenureKeeper } from '#engine/tenure.ts';

const sayWithinMs = 5000;

/**
 * Watches that no other copy of the bot acts. When one took over: `stop` is aborted, the room is told, and `ended` is
 * called with the reason.
 */
export async function staySingle(options: {
  matrix: MatrixSession;
  bot: BotInfo;
  ledger: Ledger;
  room: MatrixOpsRoom;
  clock: Clock;
  log: Log;
  stop: AbortController;
  ended: (why: OpsError) => void;
}): Promise<void> {
  const { matrix, bot, ledger, room, clock, log, stop, ended } = options;
  const holder = randomBytes(8).toString('hex');
  const record = new AccountTenureRecord(matrix.connection.request, bot.user);
  const keeper = new TenureKeeper({ record, ledger, clock, log, holder, host: hostname() });
  const lost = await keeper.run(stop.signal);
  if (lost === undefined) return;
  log.error({ hint: lost.hint }, lost.message);
  stop.abort();
  // Said by itself: the outbox is the other copy's now.
  const said = room.send(noticeOf(lost, bot, holder, clock.now()), () => undefined);
  const given = clock.sleep(sayWithinMs);
  await Promise.race([said, given]).catch((error: unknown) =>
    log.warn({ why: asOpsError(error).message }, 'the room could not be told'),
  );
  ended(lost);
}

const noticeOf = (lost: OpsError, bot: BotInfo, holder: string, at: number): OutboxRow => ({
  id: 0,
  site: bot.site,
  about: { kind: 'notice', id: 'tenure' },
  lane: 'tenure',
  collapse: undefined,
  room: bot.opsRoom,
  thread: undefined,
  inReplyTo: undefined,
  replaces: undefined,
  content: {
    kind: 'message',
    rings: false,
    reply: { title: lost.message, verdict: 'warning', blocks: [{ kind: 'text', lines: [lost.hint ?? ''] }] },
    mentions: [],
    mark: { kind: 'notice' },
  },
  dueAt: at,
  txn: `tenure.${holder}`,
  state: 'pending',
  attempts: 0,
  firstTryAt: undefined,
  fallbackAt: undefined,
  eventId: undefined,
  error: undefined,
});
