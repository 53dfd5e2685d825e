import { type ErrorKind, OpsError } from '#domain/errors.ts';
import { hideShapes } from '#domain/secret-shapes.ts';

/** What is being done, as far as an error has to know it. */
export type Doing = {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Completes "Cannot …": `lock @bob:example.org`. */
  doing: string;
  /** Whose token: the admin account's (default), a login-as token, the chat account's, or none. */
  caller?: 'admin' | 'puppet' | 'chat' | 'nobody';
};

/** `soon`: the exchange broke before an answer; `later`: after the error's `retryAfterMs`. */
export type Failure = { error: OpsError; again: 'never' | 'soon' | 'later' };

type Refusal = { response: Response; text: string; secrets: string[] };
type Exchange = { timeoutMs: number; closing: boolean; secrets: string[] };
type Kind = { kind: ErrorKind; why: string; hint?: string };

const mend = 'On the host: npm start -- mend, with the same settings.';

/** Text that came from outside, safe to show: no token, no password of the request, one line, not too long. */
export function scrub(text: string, secrets: string[]): string {
  let clean = hideShapes(text);
  for (const secret of secrets) if (secret !== '') clean = clean.replaceAll(secret, '<secret>');
  return clean.replaceAll(/\s+/g, ' ').slice(0, 300);
}

/** Translates an answer that isn't 2xx. */
export function failureOfAnswer(call: Doing, refusal: Refusal): Failure {
  const { status, headers } = refusal.response;
  const body = jsonOf(refusal.text);
  const errcode = typeof body?.['errcode'] === 'string' ? body['errcode'] : undefined;
  const said = typeof body?.['error'] === 'string' ? scrub(body['error'], refusal.secrets) : '';
  const { kind, why, hint } = judge(call, { status, errcode, said, json: body !== undefined, headers });
  const write = call.method !== 'GET';
  // A 5xx may come after the work was done, or from a proxy that lost patience.
  const effect = write && status >= 500 ? 'unknown' : 'none';
  const error = new OpsError(kind, `Cannot ${call.doing}: ${why}.${stateLeft(write, effect)}`, {
    effect,
    ...(hint === undefined ? {} : { hint }),
    ...(kind === 'limited' ? { retryAfterMs: retryAfterMs(headers, body) } : {}),
    cause: new SynapseRefusal(status, errcode, said),
  });
  if (kind === 'limited') return { error, again: 'later' };
  return { error, again: [502, 503, 504].includes(status) ? 'soon' : 'never' };
}

/** Translates a request that got no answer. */
export function failureOfExchange(call: Doing, thrown: unknown, at: Exchange): Failure {
  const write = call.method !== 'GET';
  const code = codeOf(thrown);
  const timedOut = thrown instanceof Error && thrown.name === 'TimeoutError';
  // Only these say for sure that the request never arrived.
  const neverSent = [
    'ECONNREFUSED',
    'ENOTFOUND',
    'EAI_AGAIN',
    'EHOSTUNREACH',
    'ENETUNREACH',
    'UND_ERR_CONNECT_TIMEOUT',
  ];
  const effect = write && !neverSent.includes(code) ? 'unknown' : 'none';
  const why = at.closing
    ? 'the bot is stopping'
    : timedOut
      ? `Synapse did not answer in ${at.timeoutMs / 1000} s`
      : `Synapse cannot be reached (${code || 'connection lost'})`;
  const error = new OpsError(
    at.closing ? 'cancelled' : 'unavailable',
    `Cannot ${call.doing}: ${why}.${stateLeft(write, effect)}`,
    {
      effect,
      hint:
        effect === 'unknown'
          ? 'Look at the present state first; doing it again is safe.'
          : 'Is Synapse running? Then try again.',
      cause: new Error(scrub(String(thrown), at.secrets)),
    },
  );
  const dropped = code === 'UND_ERR_SOCKET' || code === 'ECONNRESET';
  return { error, again: dropped && !at.closing ? 'soon' : 'never' };
}

/** What Synapse said, as a cause for the log and for adapters that know a special case. */
export class SynapseRefusal extends Error {
  readonly status: number;
  readonly errcode: string | undefined;
  readonly said: string;

  constructor(status: number, errcode: string | undefined, said: string) {
    super(`HTTP ${status} ${errcode ?? ''} ${said}`.trim());
    this.name = 'SynapseRefusal';
    this.status = status;
    this.errcode = errcode;
    this.said = said;
  }
}

/** The refusal behind an error, if Synapse answered at all. */
export const refusalOf = (error: unknown): SynapseRefusal | undefined =>
  error instanceof OpsError && error.cause instanceof SynapseRefusal ? error.cause : undefined;

type Seen = { status: number; errcode: string | undefined; said: string; json: boolean; headers: Headers };

function judge(call: Doing, { status, errcode, said, json, headers }: Seen): Kind {
  const text = said === '' ? `Synapse answered ${status}` : said.replace(/\.$/, '');
  if (status === 429)
    return {
      kind: 'limited',
      why: 'Synapse limits the rate',
      hint: 'The rate limit of the bot can be lifted: npm start -- mend does it.',
    };
  if (status === 401 && json) return unauthorised(call, errcode);
  if (status === 403 && json) {
    return /not a server admin/i.test(said)
      ? { kind: 'misconfigured', why: 'the account of synapse.adminToken is not a server administrator', hint: mend }
      : { kind: 'denied', why: text };
  }
  // A refusal that isn't JSON comes from a proxy or from another program.
  if (status === 405 || errcode === 'M_UNRECOGNIZED' || (!json && status >= 400 && status < 500)) {
    return {
      kind: 'misconfigured',
      why: 'this address does not serve that part of the API',
      hint: 'synapse.url must be the internal address of Synapse (1.145 or newer); proxies often hide /_synapse/admin.',
    };
  }
  if (status === 404) return { kind: 'notFound', why: text };
  if (status === 409) return { kind: 'conflict', why: text };
  if (status >= 500)
    return {
      kind: 'unavailable',
      why: `Synapse answered ${status}${said === '' ? '' : ` (${text})`}`,
      hint: 'Synapse with its database down answers like this: !health shows both.',
    };
  if (status >= 300 && status < 400) {
    const target = URL.parse(headers.get('location') ?? '')?.origin;
    return {
      kind: 'misconfigured',
      why: `this address redirects${target === undefined ? '' : ` to ${target}`}`,
      hint: 'Put the final address into synapse.url.',
    };
  }
  return { kind: 'invalid', why: text };
}

function unauthorised(call: Doing, errcode: string | undefined): Kind {
  const locked = errcode === 'M_USER_LOCKED';
  if (call.caller === 'puppet') {
    return locked
      ? {
          kind: 'conflict',
          why: 'the account is locked, so nobody can act for it',
          hint: 'Suspend it, unlock it, then run this again.',
        }
      : {
          kind: 'conflict',
          why: 'the right to act for this account has ended',
          hint: 'Run it again: it takes a new one.',
        };
  }
  const [whose, setting] =
    call.caller === 'chat' ? ["the bot's chat", 'matrix.accessToken'] : ['the admin', 'synapse.adminToken'];
  const why = locked ? `${whose} account is locked` : `${setting} is not valid (any more)`;
  return { kind: 'misconfigured', why, hint: mend };
}

function retryAfterMs(headers: Headers, body: Record<string, unknown> | undefined): number {
  const header = Number(headers.get('retry-after') ?? 0) * 1000;
  const inBody = Number(body?.['retry_after_ms'] ?? 0);
  return Math.max(Number.isFinite(header) ? header : 0, Number.isFinite(inBody) ? inBody : 0, 100);
}

const stateLeft = (write: boolean, effect: 'none' | 'unknown'): string =>
  effect === 'unknown' ? ' It may or may not have been done.' : write ? ' This step changed nothing.' : '';

function codeOf(thrown: unknown): string {
  for (let error = thrown, depth = 0; error instanceof Error && depth < 4; error = error.cause, depth++) {
    if ('code' in error && typeof error.code === 'string') return error.code;
    if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors[0]);
  }
  return '';
}

function jsonOf(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
