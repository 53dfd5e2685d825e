import { setTimeout as sleep } from 'node:timers/promises';
import { type ErrorKind, OpsError } from '#domain/errors.ts';

export type Call = {
  method: 'GET' | 'POST' | 'PUT';
  /** From `/_matrix` on, each part already encoded. */
  path: string;
  query?: Record<string, string>;
  body?: unknown;
  timeoutMs?: number;
  /** How long `patiently` goes on. A rate limit of Synapse (0.2 messages a second) is waited out, and so is an outage. */
  patienceMs?: number;
  /** What failed, for the error: "send a message as alice". */
  doing: string;
  signal?: AbortSignal | undefined;
};
/** The cause of an error that the homeserver answered with. */
export type Refusal = { status: number; errcode: string };

const kinds: Record<number, ErrorKind> = { 401: 'denied', 403: 'denied', 404: 'notFound', 429: 'limited' };
const defaultPatienceMs = 60_000;

export const refusalOf = (error: unknown): Refusal | undefined => {
  const cause = error instanceof OpsError ? error.cause : undefined;
  return typeof cause === 'object' && cause !== null && 'errcode' in cause ? (cause as Refusal) : undefined;
};

/** Requests to a homeserver: bounded in time, and patient with rate limits and outages where asked. */
export class Requests {
  private readonly homeserverUrl: string;
  private readonly token: string | undefined;

  constructor(homeserverUrl: string, token: string | undefined) {
    this.homeserverUrl = homeserverUrl.replace(/\/+$/, '');
    this.token = token;
  }

  /** One try. Throws `OpsError` with a `Refusal` as the cause when the homeserver said no. */
  async once(call: Call): Promise<Record<string, unknown>> {
    const timeoutMs = call.timeoutMs ?? 20_000;
    const timeout = AbortSignal.timeout(timeoutMs);
    const signal = call.signal === undefined ? timeout : AbortSignal.any([timeout, call.signal]);
    const url = new URL(this.homeserverUrl + call.path);
    for (const [key, value] of Object.entries(call.query ?? {})) url.searchParams.set(key, value);
    const headers: Record<string, string> = { 'Content-Type': 'application/json' };
    if (this.token !== undefined) headers['Authorization'] = `Bearer ${this.token}`;
    const effect = call.method === 'GET' ? 'none' : 'unknown';
    try {
      const response = await fetch(url, {
        method: call.method,
        headers,
        signal,
        ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
      });
      const answer = (await response.json().catch(() => ({}))) as Record<string, unknown>;
      if (response.ok) return answer;
      throw refused(call, response, answer);
    } catch (error) {
      if (error instanceof OpsError) throw error;
      if (call.signal?.aborted === true)
        throw new OpsError('cancelled', `Stopped while trying to ${call.doing}.`, { effect });
      const why = timeout.aborted ? `did not answer in ${timeoutMs / 1000} s` : 'is not reachable';
      throw new OpsError('unavailable', `Cannot ${call.doing}: the homeserver ${why}.`, { cause: error, effect });
    }
  }

  /** For what is safe to repeat (GET, or PUT with a transaction id): the same call until it is answered. */
  async patiently(call: Call): Promise<Record<string, unknown>> {
    const until = performance.now() + (call.patienceMs ?? defaultPatienceMs);
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await this.once(call);
      } catch (error) {
        if (!(error instanceof OpsError) || !['limited', 'unavailable'].includes(error.kind)) throw error;
        const waitMs = error.retryAfterMs ?? Math.min(250 * 2 ** attempt, 5000);
        if (performance.now() + waitMs > until) throw error;
        await sleep(waitMs, undefined, call.signal === undefined ? {} : { signal: call.signal }).catch(() => {
          throw new OpsError('cancelled', `Stopped while trying to ${call.doing}.`, { effect: error.effect });
        });
      }
    }
  }
}

function refused(call: Call, response: Response, answer: Record<string, unknown>): OpsError {
  const errcode = typeof answer['errcode'] === 'string' ? answer['errcode'] : 'no errcode';
  const words = typeof answer['error'] === 'string' ? `: ${answer['error']}` : '';
  const kind = kinds[response.status] ?? (response.status >= 500 ? 'unavailable' : 'invalid');
  const cause: Refusal = { status: response.status, errcode };
  // Synapse says it twice; the larger one holds.
  const headerMs = Number(response.headers.get('Retry-After') ?? 0) * 1000;
  const bodyMs = typeof answer['retry_after_ms'] === 'number' ? answer['retry_after_ms'] : 0;
  const retryAfterMs = Math.max(Number.isFinite(headerMs) ? headerMs : 0, bodyMs);
  return new OpsError(kind, `Cannot ${call.doing}: ${response.status} ${errcode}${words}`, {
    cause,
    effect: response.status >= 500 && call.method !== 'GET' ? 'unknown' : 'none',
    ...(retryAfterMs > 0 ? { retryAfterMs } : {}),
  });
}
