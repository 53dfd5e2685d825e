import type { Clock } from '#domain/clock.ts';
import { OpsError } from '#domain/errors.ts';
import type { Secret } from '#domain/secret.ts';
import { scrub } from '#adapters/synapse/failures.ts';
import { networkCode } from '#adapters/system/endpoint.ts';

const timeoutMs = 30_000;
/** A rate limit that asks for more than this is the operator's to wait for. */
const longestWaitMs = 15_000;

export type Ask = {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  path: string;
  token?: Secret;
  body?: Record<string, unknown>;
  /** Completes "Cannot …". */
  doing: string;
};
export type Answer = {
  status: number;
  ok: boolean;
  errcode: string | undefined;
  /** Synapse's own words, without secrets. */
  said: string;
  data: Record<string, unknown>;
};

export const part = (text: string): string => encodeURIComponent(text);

/** HTTP to the homeserver that is being set up. What it refuses is an answer too: only the caller knows what it means. */
export class Homeserver {
  readonly url: string;
  readonly #clock: Clock;
  readonly #stop: AbortSignal;

  constructor(url: string, clock: Clock, stop: AbortSignal) {
    this.url = url.replace(/\/+$/, '');
    this.#clock = clock;
    this.#stop = stop;
  }

  /** Throws `unavailable` when there is no answer, `limited` when it takes too long to be allowed. */
  async ask(ask: Ask): Promise<Answer> {
    for (;;) {
      const { answer, waitMs } = await this.#once(ask);
      if (answer.status !== 429) return answer;
      if (waitMs > longestWaitMs) {
        const wait = `${Math.ceil(waitMs / 60_000)} min`;
        throw new OpsError('limited', `Cannot ${ask.doing}: Synapse limits the rate for another ${wait}.`, {
          retryAfterMs: waitMs,
        });
      }
      await this.#clock.sleep(waitMs, this.#stop);
    }
  }

  /** As `ask`, for what must work; throws what Synapse said otherwise. */
  async must(ask: Ask): Promise<Record<string, unknown>> {
    const answer = await this.ask(ask);
    if (answer.ok) return answer.data;
    throw refused(ask.doing, answer);
  }

  async #once({ method, path, token, body, doing }: Ask): Promise<{ answer: Answer; waitMs: number }> {
    this.#stop.throwIfAborted();
    const secrets = [token?.reveal() ?? '', typeof body?.['password'] === 'string' ? body['password'] : ''];
    let response: Response;
    let text: string;
    try {
      response = await fetch(this.url + path, {
        method,
        headers: {
          ...(token === undefined ? {} : { authorization: `Bearer ${token.reveal()}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        redirect: 'manual',
        signal: AbortSignal.any([AbortSignal.timeout(timeoutMs), this.#stop]),
      });
      text = await response.text();
    } catch (error) {
      this.#stop.throwIfAborted();
      throw this.#noAnswer(doing, method, error);
    }
    const data = jsonOf(text);
    if (data === undefined) throw this.#notMatrix(doing, response);
    const said = typeof data['error'] === 'string' ? scrub(data['error'], secrets) : `it answered ${response.status}`;
    const errcode = typeof data['errcode'] === 'string' ? data['errcode'] : undefined;
    const header = Number(response.headers.get('retry-after') ?? 0) * 1000;
    const waitMs = Math.max(header || 0, Number(data['retry_after_ms'] ?? 0) || 0, 500);
    return { answer: { status: response.status, ok: response.ok, errcode, said, data }, waitMs };
  }

  #noAnswer(doing: string, method: string, error: unknown): OpsError {
    const code = networkCode(error);
    const timedOut = error instanceof Error && error.name === 'TimeoutError';
    const why = timedOut
      ? `it does not answer in ${timeoutMs / 1000} s`
      : `it cannot be reached (${code ?? reasonOf(error)})`;
    const neverSent = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH'].includes(code ?? '');
    return new OpsError('unavailable', `Cannot ${doing} at ${this.url}: ${why}.`, {
      effect: method === 'GET' || neverSent ? 'none' : 'unknown',
      hint: 'Is Synapse running, and is that its address?',
    });
  }

  #notMatrix(doing: string, response: Response): OpsError {
    const target = URL.parse(response.headers.get('location') ?? '')?.origin;
    const why =
      target === undefined ? `what answers there (${response.status}) is no Synapse` : `it redirects to ${target}`;
    return new OpsError('misconfigured', `Cannot ${doing} at ${this.url}: ${why}.`, {
      hint: "--homeserver must be Synapse's own address, such as http://127.0.0.1:8008, not that of a web page or proxy.",
    });
  }
}

/** What Synapse's refusal means where the caller knows nothing better. */
export function refused(doing: string, { status, errcode, said }: Answer): OpsError {
  if (errcode === 'M_UNRECOGNIZED' || status === 405) {
    return new OpsError('misconfigured', `Cannot ${doing}: this address does not serve that part of the API.`, {
      hint: "--homeserver must be Synapse's own address: proxies often hide /_synapse/admin.",
    });
  }
  if (status >= 500) {
    return new OpsError('unavailable', `Cannot ${doing}: Synapse answered ${status}.`, {
      effect: 'unknown',
      hint: 'Its log says why; often its database is down.',
    });
  }
  const kind = status === 401 || status === 403 ? 'denied' : status === 404 ? 'notFound' : 'conflict';
  return new OpsError(kind, `Cannot ${doing}: ${said.replace(/\.$/, '')}.`);
}

/** Without a code it is the reason that `fetch` gives below its own "fetch failed": `bad port`. */
const reasonOf = (error: unknown): string =>
  error instanceof Error && error.cause instanceof Error ? error.cause.message : 'no connection';

function jsonOf(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** Proves that a Synapse answers there, with its admin API. Gives its version. */
export async function meetSynapse(homeserver: Homeserver): Promise<string> {
  const doing = 'find a homeserver';
  const { versions } = await homeserver.must({ method: 'GET', path: '/_matrix/client/versions', doing });
  if (!Array.isArray(versions)) {
    throw new OpsError('misconfigured', `What answers at ${homeserver.url} is no Matrix homeserver.`, {
      hint: "--homeserver must be Synapse's own address, such as http://127.0.0.1:8008.",
    });
  }
  const path = '/_synapse/admin/v1/server_version';
  const version = await homeserver.must({ method: 'GET', path, doing: "reach Synapse's admin API" });
  const delegated = await homeserver.ask({ method: 'GET', path: '/_matrix/client/v1/auth_metadata', doing });
  if (delegated.ok) {
    throw new OpsError('misconfigured', 'This homeserver leaves its accounts to an authentication service (MAS).', {
      hint: 'init cannot make accounts there. Make them with mas-cli, and write opsroom.yaml after config/opsroom.example.yaml.',
    });
  }
  return typeof version['server_version'] === 'string' ? version['server_version'] : 'of an unknown version';
}
