import type { Approvals } from './approvals.ts';
import type { Door } from './door.ts';
import type { House } from './house.ts';
import { listLate } from './late-list.ts';
import { Leaks } from './leaks.ts';
import { asOpsError } from '#domain/errors.ts';
import type { InboxItem } from '#domain/inbox.ts';

const parallel = 32;
const retryMs = 5000;

/** Somebody reacted to one of the bot's alerts. True when it was one. */
export type AlertReaction = (input: {
  event: string;
  emoji: string;
  sender: InboxItem['sender'];
  item: InboxItem;
}) => boolean;

/** Works the inbox off: each item goes to the part that it is for, many at a time, each once. */
export class Intake {
  readonly #house: House;
  readonly #door: Door;
  readonly #approvals: Approvals;
  readonly #alertReaction: AlertReaction;
  readonly #leaks: Leaks;
  readonly #working = new Map<number, Promise<void>>();
  #wake: () => void = () => {};
  #woken = false;

  constructor(house: House, parts: { door: Door; approvals: Approvals; alertReaction: AlertReaction }) {
    this.#house = house;
    this.#door = parts.door;
    this.#approvals = parts.approvals;
    this.#alertReaction = parts.alertReaction;
    this.#leaks = new Leaks(house);
  }

  wake(): void {
    this.#woken = true;
    this.#wake();
  }

  /** Until the signal is aborted; then what is begun is finished. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.wake(), { once: true });
    while (!signal.aborted) {
      this.#woken = false;
      const items = this.#fresh();
      for (const item of items.slice(0, parallel - this.#working.size)) {
        const work = this.#one(item).finally(() => {
          this.#working.delete(item.id);
          this.wake();
        });
        this.#working.set(item.id, work);
      }
      if (this.#woken) continue;
      const timer = new AbortController();
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      // Looks again by itself now and then, for an item that could not be settled (a full disk).
      const timed = this.#house.clock.sleep(retryMs, timer.signal).catch(() => {});
      await Promise.race([woken, timed]);
      timer.abort();
    }
    await Promise.allSettled(this.#working.values());
  }

  /** What is new and nobody works on yet; what came too late is listed, all of it at once. */
  #fresh(): InboxItem[] {
    const busy = (id: number): boolean => this.#working.has(id);
    const look = (): InboxItem[] => this.#house.ledger.newItems(parallel * 2).filter(({ id }) => !busy(id));
    const items = look();
    try {
      return listLate(this.#house, this.#door, items, busy) ? look() : items;
    } catch (error) {
      this.#house.log.error({ cause: asOpsError(error).message }, 'what came too late could not be listed yet');
      return [];
    }
  }

  async #one(item: InboxItem): Promise<void> {
    try {
      if (item.body.kind === 'withdrawn') this.#approvals.withdrawn(item);
      else if (item.body.kind === 'reaction') this.#reaction(item);
      else if (item.body.kind === 'leaked') this.#leaks.handle(item);
      else await this.#door.handle(item);
    } catch (error) {
      this.#house.log.error(
        { inbox: item.id, cause: asOpsError(error).message },
        'an item could not be settled; it is kept',
      );
      await this.#house.clock.sleep(1000);
    }
  }

  #reaction(item: InboxItem): void {
    if (item.body.kind !== 'reaction') return;
    if (this.#approvals.reaction(item)) return;
    const { on, emoji } = item.body;
    const taken = this.#alertReaction({ event: on, emoji, sender: item.sender, item });
    this.#house.ledger.commit({
      at: this.#house.clock.now(),
      inbox: [{ id: item.id, state: taken ? 'done' : 'ignored' }],
    });
  }
}
