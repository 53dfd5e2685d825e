// By path: the whole SDK brings express, lodash and HTML parsers, which are 12 MB and 0.2 s for nothing.
import { doHttpRequest } from 'matrix-bot-sdk/lib/http.js';
import { LogLevel, LogService } from 'matrix-bot-sdk/lib/logging/LogService.js';
import { MatrixError } from 'matrix-bot-sdk/lib/models/MatrixError.js';
import { OpsError } from '#domain/errors.ts';

const requestTimeoutMs = 30_000;
const uploadTimeoutMs = 60_000;

/** What the adapter needs of a Matrix client; matrix-bot-sdk gives it. */
export type Request = (
  method: 'GET' | 'POST' | 'PUT',
  path: string,
  query?: Record<string, string | number> | null,
  body?: object | null,
  timeoutMs?: number,
) => Promise<Record<string, unknown>>;

export type MatrixConnection = {
  request: Request;
  upload(content: Buffer, mime: string, name: string): Promise<string>;
};

/** The SDK's requests without its own log lines (they quote requests). */
export function connect(options: { homeserverUrl: string; accessToken: string }): MatrixConnection {
  LogService.setLevel(LogLevel.ERROR);
  LogService.setLogger({ info() {}, warn() {}, error() {}, debug() {}, trace() {} });
  const homeserverUrl = options.homeserverUrl.replace(/\/+$/, '');
  // The SDK adds its own to the headers that it is given.
  const headers = (): Record<string, string> => ({ Authorization: `Bearer ${options.accessToken}` });
  return {
    async request(method, path, query, body, timeoutMs = requestTimeoutMs) {
      try {
        const answer: unknown = await doHttpRequest(homeserverUrl, method, path, query, body, headers(), timeoutMs);
        return answer as Record<string, unknown>;
      } catch (error) {
        throw translate(error, method);
      }
    },
    async upload(content, mime, name) {
      try {
        const query = { filename: name };
        const path = '/_matrix/media/v3/upload';
        const answer: unknown = await doHttpRequest(
          homeserverUrl,
          'POST',
          path,
          query,
          content,
          headers(),
          uploadTimeoutMs,
          false,
          mime,
        );
        return String((answer as Record<string, unknown>)['content_uri']);
      } catch (error) {
        throw translate(error, 'POST');
      }
    },
  };
}

/** The homeserver's answer in the bot's words. Requests of the outbox carry a transaction id, so they may be repeated. */
export function translate(error: unknown, method: string): OpsError {
  if (error instanceof OpsError) return error;
  const session = sessionOf(error);
  if (session !== undefined)
    return new OpsError('denied', 'The homeserver asks for the password.', { cause: { session } });
  if (error instanceof MatrixError) {
    const { errcode, statusCode } = error;
    const text = `The homeserver refused (${errcode}): ${error.error ?? 'no reason given'}`;
    if (statusCode === 429 || errcode === 'M_LIMIT_EXCEEDED') {
      return new OpsError('limited', 'The homeserver limits how fast the bot may speak.', {
        retryAfterMs: error.retryAfterMs ?? 5000,
      });
    }
    if (statusCode === 401) {
      const hint = 'On the host: npm start -- mend, with the same settings, gives it a new one.';
      return new OpsError('misconfigured', "The bot's own access token is not accepted any more.", { hint });
    }
    if (statusCode === 403) return new OpsError('denied', text);
    if (statusCode === 404) return new OpsError('notFound', text, { cause: errcode });
    if (statusCode >= 500) return new OpsError('unavailable', 'The homeserver had an error.', { cause: error });
    return new OpsError('invalid', text, { cause: errcode });
  }
  const plain = withoutCode(error);
  if (plain !== undefined) return plain;
  const effect = method === 'GET' ? 'none' : 'unknown';
  return new OpsError('unavailable', 'The homeserver did not answer.', { effect, cause: error });
}

/** An answer of something in front of the homeserver, which knows no error codes; the SDK throws it as it is. */
function withoutCode(error: unknown): OpsError | undefined {
  const { statusCode, headers } = (error ?? {}) as { statusCode?: unknown; headers?: Record<string, unknown> };
  if (typeof statusCode !== 'number') return undefined;
  const seconds = Number(headers?.['retry-after'] ?? Number.NaN);
  const retryAfterMs = Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined;
  if (statusCode === 429) {
    return new OpsError('limited', 'The homeserver limits how fast the bot may speak.', {
      retryAfterMs: retryAfterMs ?? 5000,
    });
  }
  if (statusCode === 413)
    return new OpsError('invalid', 'That is too large for the homeserver.', { cause: 'M_TOO_LARGE' });
  if (statusCode < 500) return undefined;
  return new OpsError('unavailable', `The homeserver, or what is in front of it, had an error (${statusCode}).`, {
    effect: 'unknown',
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

/** The session of a request that the homeserver takes only together with a password (user-interactive authentication). */
function sessionOf(error: unknown): string | undefined {
  const { statusCode, body } = (error ?? {}) as { statusCode?: unknown; body?: { flows?: unknown; session?: unknown } };
  return statusCode === 401 && Array.isArray(body?.flows) ? String(body.session) : undefined;
}

/** The same of a translated error. */
export function needsPassword(error: unknown): string | undefined {
  if (!(error instanceof OpsError) || error.kind !== 'denied') return undefined;
  const session = (error.cause as { session?: unknown } | undefined)?.session;
  return typeof session === 'string' ? session : undefined;
}
