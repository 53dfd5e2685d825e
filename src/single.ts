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
// A homeserver that hangs must not keep the bot from its pages.
const firstLookMs = 5000;

export type SingleOptions = {
  matrix: MatrixSession;
  bot: BotInfo;
  ledger: Ledger;
  room: MatrixOpsRoom;
  clock: Clock;
  log: Log;
  /** Without the homeserver nobody can be seen there. */
  offline: boolean;
};

/** Watches that no other copy of the bot acts. */
export class Single {
  readonly #options: SingleOptions;
  readonly #holder = randomBytes(8).toString('hex');
  readonly #keeper: TenureKeeper;

  private constructor(options: SingleOptions) {
    const { matrix, bot, ledger, clock, log } = options;
    this.#options = options;
    const record = new AccountTenureRecord(matrix.connection.request, bot.user);
    this.#keeper = new TenureKeeper({ record, ledger, clock, log, holder: this.#holder, host: hostname() });
  }

  /**
   * Before anything is done. Throws `held` when this copy lost to another one that is there still; when that can't be
   * seen soon, the bot acts, and looks again.
   */
  static async open(options: SingleOptions): Promise<Single> {
    const single = new Single(options);
    if (!options.offline) await single.#begin();
    return single;
  }

  async #begin(): Promise<void> {
    const { clock, log } = this.#options;
    const seen = new AbortController();
    const looked = this.#keeper.once().catch((error: unknown) => {
      log.warn({ why: asOpsError(error).message }, 'it cannot be seen yet whether another copy of the bot is running');
      return undefined;
    });
    const enough = clock.sleep(firstLookMs, seen.signal).then(
      () => undefined,
      () => undefined,
    );
    const lost = await Promise.race([looked, enough]);
    seen.abort();
    if (lost !== undefined) throw lost;
  }

  /** When another copy took over: `stop` is aborted, the room is told, and `ended` is called with the reason. */
  async stay(stop: AbortController, ended: (why: OpsError) => void): Promise<void> {
    const { bot, room, clock, log } = this.#options;
    const lost = await this.#keeper.run(stop.signal);
    if (lost === undefined) return;
    log.error({ hint: lost.hint }, lost.message);
    stop.abort();
    // Said by itself: the outbox is the other copy's now.
    const said = room.send(noticeOf(lost, bot, this.#holder, clock.now()), () => undefined);
    const given = clock.sleep(sayWithinMs);
    await Promise.race([said, given]).catch((error: unknown) =>
      log.warn({ why: asOpsError(error).message }, 'the room could not be told'),
    );
    ended(lost);
  }
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
