import type { z } from 'zod';
import { OpsError } from '#domain/errors.ts';
import type { FallbackNotice, FallbackWay } from '#domain/fallback.ts';
import { Secret } from '#domain/secret.ts';
import type { settings } from './settings.ts';

const answerWithinMs = 10_000;

type Options = z.infer<typeof settings>['webhook'] & { bot: string; site: string };

/** Pages by an HTTP request. `text` alone is what most chat and pager services show. */
export class WebhookWay implements FallbackWay {
  readonly name: string;
  readonly #url: URL;
  readonly #options: Options;

  /** Throws `misconfigured` when the secret isn't an address. */
  constructor(options: Options) {
    const text = options.url instanceof Secret ? options.url.reveal() : options.url;
    const url = URL.parse(text);
    if (url === null || !['http:', 'https:'].includes(url.protocol)) {
      throw new OpsError('misconfigured', 'What alerts.fallback names as the address of a webhook is none.', {
        hint: 'Put an http:// or https:// address there.',
      });
    }
    this.#url = url;
    this.#options = options;
    this.name = `webhook ${url.host}`;
  }

  async tell(notice: FallbackNotice, signal: AbortSignal): Promise<void> {
    const { secret, bot, site } = this.#options;
    const body = { v: 1, kind: 'page', bot, site, ...notice, at: new Date(notice.at).toISOString() };
    await this.#ask('POST', signal, {
      headers: {
        'content-type': 'application/json',
        ...(secret === undefined ? {} : { authorization: `Bearer ${secret.reveal()}` }),
      },
      body: JSON.stringify(body),
    });
  }

  /** Whether anything answers there; pages nobody. */
  async reach(signal: AbortSignal): Promise<void> {
    await this.#ask('HEAD', signal, {}, () => false);
  }

  async #ask(
    method: string,
    signal: AbortSignal,
    init: { headers?: Record<string, string>; body?: string },
    isRefusal: (status: number) => boolean = (status) => status >= 300,
  ): Promise<void> {
    let status: number;
    try {
      const timed = AbortSignal.any([signal, AbortSignal.timeout(answerWithinMs)]);
      // A redirect would take the secret to another place.
      const answer = await fetch(this.#url, { method, redirect: 'manual', signal: timed, ...init });
      ({ status } = answer);
      await answer.body?.cancel();
    } catch (cause) {
      throw new OpsError('unavailable', `The ${this.name} did not answer.`, { effect: 'unknown', cause });
    }
    if (!isRefusal(status)) return;
    if (status === 429 || status >= 500) throw new OpsError('unavailable', `The ${this.name} answered ${status}.`);
    throw new OpsError('misconfigured', `The ${this.name} refused (${status}).`, {
      hint: 'Look at the address and the secret in alerts.fallback.',
    });
  }
}
