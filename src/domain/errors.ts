/** What kind of trouble it is; decides the wording, the exit code and the HTTP status at the edges. */
export type ErrorKind =
  | 'invalid'
  | 'denied'
  | 'misconfigured'
  | 'notFound'
  | 'conflict'
  | 'limited'
  | 'unavailable'
  /** Another process holds the data. */
  | 'held'
  | 'cancelled'
  | 'internal';

/** What the failed call left behind. `unknown`: a write that timed out may or may not have happened. */
export type Effect = 'none' | 'done' | 'unknown';

export type OpsErrorOptions = { effect?: Effect; hint?: string; cause?: unknown; retryAfterMs?: number };

/**
 * The one error class. Message and hint may be shown in the room, so they never hold a secret; the cause goes to the
 * log only.
 */
export class OpsError extends Error {
  readonly kind: ErrorKind;
  readonly effect: Effect;
  readonly hint: string | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(kind: ErrorKind, message: string, options: OpsErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'OpsError';
    this.kind = kind;
    this.effect = options.effect ?? 'none';
    this.hint = options.hint;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** An error of any origin as an `OpsError`; what isn't one is our own bug, `internal`, with its text kept as the cause. */
export function asOpsError(error: unknown): OpsError {
  if (error instanceof OpsError) return error;
  return new OpsError('internal', 'Internal error.', { cause: error, effect: 'unknown' });
}

/** The cause in words, for the log. */
export function causeOf(error: OpsError): string {
  const { cause } = error;
  if (cause instanceof Error)
    return cause.cause instanceof Error ? `${cause.message}: ${cause.cause.message}` : cause.message;
  return typeof cause === 'string' ? cause : '';
}
