import { parseMetrics } from '#adapters/prometheus/parse.ts';
import type { Clock } from '#domain/clock.ts';
import { OpsError } from '#domain/errors.ts';
import type { MetricsSource, Scrape } from '#domain/metrics.ts';

/** Pages that a test writes in the text format, by instance; a missing one doesn't answer. */
export class FakeMetrics implements MetricsSource {
  readonly #clock: Clock;
  readonly #pages = new Map<string, string | undefined>();

  constructor(clock: Clock, page?: string) {
    this.#clock = clock;
    if (page !== undefined) this.show(page);
  }

  show(page: string | undefined, instance = 'main'): this {
    this.#pages.set(instance, page);
    return this;
  }

  scrape(families: readonly string[]): Promise<Scrape[]> {
    return Promise.resolve().then(() =>
      [...this.#pages].map(([instance, text]) => {
        if (text === undefined) throw new OpsError('unavailable', `No metrics from ${instance}: it does not answer.`);
        return {
          instance,
          at: this.#clock.now(),
          monotonicMs: this.#clock.monotonicMs(),
          families: parseMetrics(text, (name) => families.includes(name)),
        };
      }),
    );
  }
}
