import type { z } from 'zod';
import type { Clock } from '#domain/clock.ts';
import { OpsError } from '#domain/errors.ts';
import { type Doing, type Failure, failureOfAnswer, failureOfExchange } from './failures.ts';

export type Query = Record<string, string | number | boolean | undefined>;

export type Call<T> = Doing & {
  /** Absolute, its parts encoded by `part`. */
  path: string;
  query?: Query;
  body?: Record<string, unknown>;
  /** What the answer must look like; `undefined`: whatever it is. */
  answer?: z.ZodType<T>;
  /** The token of `caller: 'puppet'` or `'chat'`. */
  token?: string;
  /** Waits and tries again when limited. For writes that are safe to repeat; reads always do. */
  patient?: boolean;
  timeoutMs?: number;
};
export type Answer<T> = { status: number; data: T };

export type ApiSettings = {
  url: string;
  adminToken: string;
  clock: Clock;
  readTimeoutMs?: number;
  writeTimeoutMs?: number;
};

type Patience = { attempts: number; waitMs: number };
const none: Patience = { attempts: 1, waitMs: 0 };
const forReads: Patience = { attempts: 3, waitMs: 10_000 };
// Under Synapse's default limits (0.2/s after 10) a leave waits its turn behind seven others: 5 s each.
const forPatientWrites: Patience = { attempts: 12, waitMs: 120_000 };

/** Throws `misconfigured` for a token that no header can hold, such as one with the end of its file's line. */
export function requireHeaderSafe(token: string, setting: string): void {
  if (/^[\x21-\x7e]+$/.test(token)) return;
  throw new OpsError('misconfigured', `${setting} is empty or holds characters that no token has.`);
}

/** One part of a path: `@`, `:`, `!`, `#` and `/` must not reach the router as they are. */
export const part = (text: string): string => encodeURIComponent(text);

/** HTTP to one Synapse: the admin API, and the few client calls made for users. Tokens go in the header only. */
export class SynapseApi implements AsyncDisposable {
  readonly #settings: ApiSettings;
  readonly #base: string;
  readonly #closing = new AbortController();

  constructor(settings: ApiSettings) {
    if (!/^https?:$/.test(URL.parse(settings.url)?.protocol ?? '')) {
      throw new OpsError('misconfigured', 'synapse.url is not an http or https address.');
    }
    requireHeaderSafe(settings.adminToken, 'synapse.adminToken');
    this.#settings = settings;
    this.#base = settings.url.replace(/\/+$/, '');
  }

  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  async call<T>(call: Call<T>): Promise<Answer<T>> {
    const patience = call.method === 'GET' ? forReads : call.patient === true ? forPatientWrites : none;
    let waitedMs = 0;
    for (let attempt = 1; ; attempt++) {
      const result = await this.#once(call);
      if ('data' in result) return result;
      const pauseMs = pauseBeforeNext(result, attempt);
      if (attempt >= patience.attempts || pauseMs === undefined || waitedMs + pauseMs > patience.waitMs) {
        throw result.error;
      }
      waitedMs += pauseMs;
      await this.#settings.clock.sleep(pauseMs, this.closing);
    }
  }

  async #once<T>(call: Call<T>): Promise<Answer<T> | Failure> {
    const token = call.caller === 'nobody' ? undefined : (call.token ?? this.#settings.adminToken);
    const secrets = [this.#settings.adminToken, token ?? '', ...secretsIn(call.body)];
    const timeoutMs = call.timeoutMs ?? this.#timeoutOf(call);
    try {
      const response = await fetch(this.#base + call.path + queryText(call.query), {
        method: call.method,
        headers: {
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
        // A followed redirect could turn a POST into a GET.
        redirect: 'manual',
        signal: AbortSignal.any([AbortSignal.timeout(timeoutMs), this.closing]),
      });
      const text = await response.text();
      if (!response.ok) return failureOfAnswer(call, { response, text, secrets });
      return { status: response.status, data: read(call, text) };
    } catch (error) {
      if (error instanceof OpsError) return { error, again: 'never' };
      return failureOfExchange(call, error, { timeoutMs, closing: this.closing.aborted, secrets });
    }
  }

  #timeoutOf(call: Doing): number {
    const { readTimeoutMs = 10_000, writeTimeoutMs = 30_000 } = this.#settings;
    return call.method === 'GET' ? readTimeoutMs : writeTimeoutMs;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new OpsError('cancelled', 'The bot is stopping.'));
    return Promise.resolve();
  }
}

function read<T>(call: Call<T>, text: string): T {
  if (call.answer === undefined) return undefined as T;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  const parsed = call.answer.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new OpsError('misconfigured', `Cannot ${call.doing}: the answer is not one of Synapse's.`, {
    effect: call.method === 'GET' ? 'none' : 'unknown',
    hint: 'Is synapse.url the address of Synapse itself, 1.145 or newer?',
    cause: new Error(parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ')),
  });
}

function pauseBeforeNext(failure: Failure, attempt: number): number | undefined {
  if (failure.again === 'never') return undefined;
  const jitter = 1 + Math.random() / 4;
  if (failure.again === 'later') return Math.max(failure.error.retryAfterMs ?? 0, 100) * jitter;
  return 100 * attempt * jitter;
}

function queryText(query: Query | undefined): string {
  const pairs = Object.entries(query ?? {}).flatMap(([key, value]) =>
    value === undefined ? [] : [[key, String(value)]],
  );
  return pairs.length === 0 ? '' : `?${new URLSearchParams(pairs).toString()}`;
}

const secretsIn = (body: Record<string, unknown> | undefined): string[] =>
  typeof body?.['password'] === 'string' ? [body['password']] : [];
