import type { Clock } from '#domain/clock.ts';
import { OpsError } from '#domain/errors.ts';
import type { MetricsSource, Scrape } from '#domain/metrics.ts';
import { parseMetrics } from './parse.ts';

export type ScrapeOptions = {
  /** One address for each process: the main one and its workers. */
  urls: readonly string[];
  clock: Clock;
  /** Basic authorization, `user:password` (LiveKit's `prometheus: {username, password}`). */
  login?: string;
};

// A big Synapse with many workers gives some 10 MB; more is not a metrics page.
const maxBytes = 64 * 1024 * 1024;

type Page = { text: string; at: number; monotonicMs: number };

/** Reads metrics pages directly, without a Prometheus between. */
export class MetricsPages implements MetricsSource {
  readonly #options: ScrapeOptions;
  /** What is being fetched: checks that are due together share one page, which is then let go. */
  readonly #fetching = new Map<string, Promise<Page>>();

  constructor(options: ScrapeOptions) {
    this.#options = options;
  }

  async scrape(families: readonly string[], signal: AbortSignal): Promise<Scrape[]> {
    const wanted = new Set(families);
    return Promise.all(
      this.#options.urls.map(async (url) => {
        const { text, at, monotonicMs } = await this.#page(url, signal);
        return {
          instance: new URL(url).host,
          at,
          monotonicMs,
          families: parseMetrics(text, (name) => wanted.has(name)),
        };
      }),
    );
  }

  #page(url: string, signal: AbortSignal): Promise<Page> {
    const shared = this.#fetching.get(url);
    if (shared !== undefined) return shared;
    const page = this.#fetch(url, signal).finally(() => this.#fetching.delete(url));
    this.#fetching.set(url, page);
    return page;
  }

  async #fetch(url: string, signal: AbortSignal): Promise<Page> {
    const { clock, login } = this.#options;
    const where = new URL(url).host;
    const headers: Record<string, string> = { Accept: 'text/plain;version=0.0.4' };
    if (login !== undefined) headers['Authorization'] = `Basic ${Buffer.from(login).toString('base64')}`;
    let response: Response;
    try {
      response = await fetch(url, { headers, signal, redirect: 'error' });
    } catch (cause) {
      throw new OpsError('unavailable', `No metrics from ${where}: it does not answer.`, { cause });
    }
    if (!response.ok) {
      await response.body?.cancel();
      throw new OpsError('unavailable', `No metrics from ${where}: it answers ${response.status}.`, {
        hint: 'Is the address that of the metrics listener?',
      });
    }
    // The moment of the numbers: when the answer began.
    const [at, monotonicMs] = [clock.now(), clock.monotonicMs()];
    if (Number(response.headers.get('content-length') ?? 0) > maxBytes) {
      await response.body?.cancel();
      throw new OpsError('unavailable', `The metrics of ${where} are larger than 64 MiB.`);
    }
    return { text: await response.text(), at, monotonicMs };
  }
}
