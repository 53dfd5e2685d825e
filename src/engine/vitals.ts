import type { Clock, EpochMs } from '#domain/clock.ts';
import { formatDuration } from '#domain/duration.ts';
import type { Signal } from '#domain/incidents.ts';
import type { Log } from '#domain/log.ts';
import type { PartState } from '#domain/vitals.ts';

/** What the bot looks at in itself. `pages`: what the incident says when the part stays unwell for that long. */
export type Vital = {
  part: string;
  /** `starting`: not ready yet, as is usual after a start. It is shown and pages as ever, but is no error in the log. */
  look: () => { ready: boolean; note?: string | undefined; starting?: boolean };
  pages?: { name: string; afterMs: number };
};

export type VitalsOptions = {
  site: string;
  vitals: readonly Vital[];
  clock: Clock;
  log: Log;
  receive: (signals: Signal[]) => void;
  /** When not even an incident can be stored. */
  shout: (title: string) => void;
};

const shoutEveryMs = 15 * 60_000;

/** How the bot is, part by part; what stays unwell becomes an incident of its own. */
export class Vitals {
  readonly #options: VitalsOptions;
  readonly #since = new Map<string, EpochMs>();
  readonly #logged = new Set<string>();
  /** What the alerts were told last; unknown after a start, so that what an earlier start opened is closed. */
  readonly #told = new Map<string, boolean>();
  #shoutedAt = -Infinity;

  constructor(options: VitalsOptions) {
    this.#options = options;
  }

  states(): PartState[] {
    return this.#options.vitals.map(({ part, look }) => {
      const { ready, note } = look();
      return { part, ready, ...(note === undefined ? {} : { note }) };
    });
  }

  /** Called each second. */
  tick(): void {
    const { clock, vitals, log } = this.#options;
    const now = clock.now();
    for (const { part, look, pages } of vitals) {
      const { ready, note, starting } = look();
      const since = ready ? undefined : (this.#since.get(part) ?? now);
      if (since === undefined) {
        const was = this.#since.get(part);
        if (was !== undefined && this.#logged.delete(part))
          log.info({ part, lasted: formatDuration(now - was) }, 'a part of the bot is well again');
        this.#since.delete(part);
      } else {
        if (starting !== true && !this.#logged.has(part)) {
          this.#logged.add(part);
          log.error({ part, note }, 'a part of the bot is not well');
        }
        this.#since.set(part, since);
      }
      if (pages === undefined) continue;
      const firing = since !== undefined && now - since >= pages.afterMs;
      if (this.#told.get(part) === firing || (since !== undefined && !firing)) continue;
      this.#tell(pages.name, part, note ?? `${part} is not well`, firing, since ?? now);
    }
  }

  #tell(name: string, part: string, note: string, firing: boolean, startedAt: EpochMs): void {
    const { site, receive, shout, clock, log } = this.#options;
    const key = `bot:${part}`;
    const title = `The bot: ${note}`;
    const signal: Signal = {
      site,
      source: 'bot',
      key,
      group: key,
      firing,
      severity: 'critical',
      name,
      title,
      labels: { part },
      startedAt,
    };
    try {
      receive([signal]);
      this.#told.set(part, firing);
    } catch (error) {
      log.error({ part, error }, 'what is wrong with the bot cannot be stored');
      if (!firing || clock.now() - this.#shoutedAt < shoutEveryMs) return;
      this.#shoutedAt = clock.now();
      shout(title);
    }
  }
}
