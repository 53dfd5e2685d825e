import { type Effect, OpsError } from '#domain/errors.ts';
import { hideShapes } from '#domain/secret-shapes.ts';

// LiveKit's 401 repeats the whole token, and its answers carry TURN passwords.
const turnPattern = /("?turn_?password"?\s*[:=]\s*)"[^"]*"/gi;

/** Text from the server or its SDK, safe for logs: without tokens and TURN passwords, one line, not too long. */
export const scrub = (text: string): string =>
  hideShapes(text.replaceAll(turnPattern, '$1<secret>')).replaceAll(/\s+/g, ' ').slice(0, 300);

/** What the SDK throws: `ServerError` with status and mostly a code, or what `fetch` threw. */
type Thrown = { name?: string; message?: string; status?: number; code?: string; cause?: { code?: string } };

/** A participant or room that is gone. */
export const isNotFound = (thrown: unknown): boolean => (thrown as Thrown).code === 'not_found';

/** Translates what the SDK threw. `doing` completes "Cannot …"; the original is not kept: it may hold a token. */
export function failureOf(thrown: unknown, doing: string, write: boolean): OpsError {
  const { name, message = '', status, code, cause } = thrown as Thrown;
  const make = (kind: OpsError['kind'], why: string, effect: Effect, hint: string): OpsError => {
    const left =
      effect === 'unknown' ? ' It may or may not have been done.' : write ? ' This step changed nothing.' : '';
    const scrubbed = new Error(scrub(`${name ?? ''} ${status ?? ''} ${code ?? cause?.code ?? ''} ${message}`));
    return new OpsError(kind, `Cannot ${doing}: ${why}.${left}`, { effect, hint, cause: scrubbed });
  };
  const unsure: Effect = write ? 'unknown' : 'none';
  if (status === 401 || status === 403) {
    return make(
      'misconfigured',
      'LiveKit refuses the API key',
      'none',
      'livekit.apiKey and livekit.apiSecret must be in its `keys`.',
    );
  }
  if (isNotFound(thrown))
    return make('notFound', 'LiveKit does not know the room or participant', 'none', '!calls lists them.');
  if (status === 404) return make('misconfigured', 'no LiveKit is served there', 'none', 'Check livekit.url.');
  if (status === 429) return make('limited', 'LiveKit limits the rate', 'none', 'Try again in a moment.');
  if (status !== undefined && status >= 500) {
    return make(
      'unavailable',
      `LiveKit answered ${status}`,
      unsure,
      '!health livekit shows more. Doing it again is safe.',
    );
  }
  if (status !== undefined)
    return make('invalid', scrub(message) || `LiveKit answered ${status}`, 'none', '!calls shows the calls.');
  if (name === 'TimeoutError')
    return make('unavailable', 'LiveKit did not answer in time', unsure, 'Doing it again is safe.');
  const refused = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH'].includes(cause?.code ?? '');
  const why = `LiveKit cannot be reached (${cause?.code ?? 'connection lost'})`;
  return make('unavailable', why, refused ? 'none' : unsure, 'Is LiveKit running? Then try again.');
}
