import type { UserId } from '#domain/accounts.ts';
import type { BotInfo } from '#domain/bot.ts';
import type { Clock } from '#domain/clock.ts';
import { asOpsError } from '#domain/errors.ts';
import type { FallbackNotice, FallbackWay } from '#domain/fallback.ts';
import { incidentName } from '#domain/incidents.ts';
import type { Ledger } from '#domain/ledger.ts';
import type { Log } from '#domain/log.ts';
import type { Line, Reply } from '#domain/messages.ts';
import { formatMoment } from '#domain/moment.ts';
import { delayOf, type OutboxRow } from '#domain/outbox.ts';
import { say } from './speak.ts';

const lookEveryMs = 5000;
const longestBackOffMs = 60_000;
const mostListed = 20;
// Longer than a request may take.
const onItsWayMs = 40_000;

export type FallbackOptions = {
  ledger: Ledger;
  ways: readonly FallbackWay[];
  clock: Clock;
  log: Log;
  bot: Pick<BotInfo, 'opsRoom' | 'site' | 'timezone'>;
  /** A reply as plain text. */
  textOf: (reply: Reply) => string;
  /**
   * From the first try that failed. A page is promised within 2 min: this is for the homeserver to come back, the rest for
   * a way that is slow.
   */
  patienceMs: number;
  /** Whether the room heard what was said to it last. */
  reachable: () => boolean;
};

/** Sends pages that the room can't be told by the ways that need no homeserver, and tells the room of it later. */
export class Fallback {
  readonly #options: FallbackOptions;
  /** Told already, and the memory could take no note of it. */
  readonly #told = new Set<string>();
  #failures = 0;
  #waitUntilMs = 0;

  constructor(options: FallbackOptions) {
    this.#options = options;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    while (!signal.aborted) {
      await this.once(signal).catch((error: unknown) => log.error({ error }, 'pages cannot be looked at'));
      await clock.sleep(lookEveryMs, signal).catch(() => {});
    }
  }

  async once(signal: AbortSignal): Promise<void> {
    const { ledger, ways, clock, reachable, patienceMs } = this.#options;
    if (reachable()) this.#tellRoom();
    const now = clock.now();
    if (ways.length === 0 || now < this.#waitUntilMs) return;
    const rows = ledger.stuckPages(now - patienceMs).filter((row) => !this.#told.has(row.txn));
    if (rows.length === 0) return;
    const way = await this.tell(this.#noticeOf(rows), signal);
    if (way === undefined) return;
    for (const { txn } of rows) this.#told.add(txn);
    const at = clock.now();
    ledger.noteFallback(
      rows.map(({ id }) => id),
      at,
    );
    for (const { txn } of rows) this.#told.delete(txn);
    const what = `paged by ${way}, since the room could not be reached`;
    const incidentLog = incidentsOf(rows).map((incident) => ({ incident, at, actor: undefined, what }));
    ledger.commit({ at, incidentLog });
  }

  /** By the first way that takes it; gives its name, undefined when none did. Then nothing is tried for a while. */
  async tell(notice: FallbackNotice, signal: AbortSignal): Promise<string | undefined> {
    const { ways, clock, log } = this.#options;
    for (const way of ways) {
      try {
        await way.tell(notice, signal);
        this.#failures = 0;
        log.warn({ way: way.name, incidents: notice.incidents }, 'a page went out another way');
        return way.name;
      } catch (error) {
        if (signal.aborted) return undefined;
        const { message, hint } = asOpsError(error);
        log.error({ way: way.name, why: message, hint }, 'a page could not go out another way');
      }
    }
    this.#waitUntilMs = clock.now() + Math.min(longestBackOffMs, lookEveryMs * 2 ** Math.min(this.#failures, 10));
    this.#failures += 1;
    return undefined;
  }

  #noticeOf(rows: readonly OutboxRow[]): FallbackNotice {
    const { clock, textOf } = this.#options;
    const users = new Set<UserId>();
    const texts: string[] = [];
    for (const { content } of rows) {
      if (content.kind !== 'message') continue;
      for (const user of content.mentions) users.add(user);
      if (texts.length < mostListed) texts.push(textOf(content.reply));
    }
    const [first = 'A page'] = texts;
    const more = rows.length - texts.length;
    const title = first.split('\n')[0] ?? first;
    return {
      title: rows.length === 1 ? title : `${rows.length} pages: ${title}`,
      text: [
        ...texts,
        ...(more > 0 ? [`…and ${more} more.`] : []),
        'The chat room cannot be reached, so this comes another way.',
      ].join('\n\n'),
      users: [...users],
      incidents: incidentsOf(rows).map(incidentName),
      at: clock.now(),
    };
  }

  /** What was over before the room could hear of it rings nobody any more: one message says what there was. */
  #tellRoom(): void {
    const { ledger, clock, bot } = this.#options;
    const missed = ledger.missedPages();
    const at = clock.now();
    // One that is on its way while it is answered may be there in a moment.
    if (missed.length === 0 || missed.some((row) => delayOf(row, at) < onItsWayMs)) return;
    const ids = incidentsOf(missed);
    const items = ids.slice(0, mostListed).map((id): Line => this.#lineOf(id, missed));
    if (ids.length > mostListed) items.push(`…and ${ids.length - mostListed} more: !alerts lists them.`);
    const reply: Reply = {
      title: `🟢 While this room could not be reached, ${ids.length === 1 ? 'a page was' : `${ids.length} pages were`} answered or over before it heard of ${ids.length === 1 ? 'it' : 'them'}.`,
      verdict: 'none',
      blocks: [{ kind: 'list', items }],
    };
    const address = {
      site: bot.site,
      where: { room: bot.opsRoom, thread: undefined, event: undefined },
      lane: 'missed-pages',
      about: { kind: 'notice' as const, id: 'missed-pages' },
      at,
    };
    ledger.commit({ at, outbox: [say(ledger, address, reply, { kind: 'notice' }, { collapse: 'missed-pages' })] });
    for (const { id, error } of missed) ledger.settleOutbox(id, 'dropped', { error: error ?? 'over' });
  }

  #lineOf(id: number, rows: readonly OutboxRow[]): Line {
    const { ledger, bot, clock } = this.#options;
    const at = (time: number): string => formatMoment(time, bot.timezone, clock.now());
    const incident = ledger.incident(id);
    const sent = rows.find((row) => Number(row.about.id) === id && row.fallbackAt !== undefined)?.fallbackAt;
    const parts = [
      incident === undefined ? '' : ` ${incident.title || incident.name}, since ${at(incident.openedAt)}`,
      sent === undefined ? '' : `, sent another way ${at(sent)}`,
      incident?.closedAt === undefined ? '' : `, resolved ${at(incident.closedAt)}`,
    ];
    return [{ code: incidentName(id) }, parts.join('')];
  }
}

const incidentsOf = (rows: readonly OutboxRow[]): number[] => [
  ...new Set(rows.flatMap(({ about }) => (about.kind === 'incident' ? [Number(about.id)] : []))),
];
