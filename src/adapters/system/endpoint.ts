import type { Clock } from '#domain/clock.ts';
import { OpsError } from '#domain/errors.ts';
import type { Endpoint } from '#domain/probes.ts';

// Health answers are a word or a list of versions.
const maxChars = 64 * 1024;

/** What the network said, under the wrapping of `fetch`. */
export function networkCode(error: unknown): string | undefined {
  for (let depth = 0, at = error; depth < 5 && at instanceof Error; depth++) {
    if ('code' in at && typeof at.code === 'string' && at.code !== '') return at.code;
    // A name with several addresses fails as a group; one word for all of them.
    at = at instanceof AggregateError ? at.errors[0] : at.cause;
  }
  return undefined;
}

/** A GET without authorization. Redirects count as an answer: a health address doesn't move. */
export function endpoint(url: string, clock: Clock): Endpoint {
  const where = new URL(url).host;
  return async (signal) => {
    const start = clock.monotonicMs();
    try {
      const response = await fetch(url, { signal, redirect: 'manual' });
      const text = (await response.text()).slice(0, maxChars);
      return { kind: 'answered', status: response.status, text, tookMs: clock.monotonicMs() - start };
    } catch (cause) {
      const code = networkCode(cause);
      if (code === 'ECONNREFUSED') return { kind: 'refused', tookMs: clock.monotonicMs() - start };
      throw new OpsError('unavailable', `${where} gives no answer${code === undefined ? '' : ` (${code})`}.`, {
        cause,
      });
    }
  };
}
