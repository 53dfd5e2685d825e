import { type Effect, type ErrorKind, OpsError } from '#domain/errors.ts';

type What = { doing: string; write: boolean; database: string };
type Thrown = { code?: string; message?: string; severity?: string; column_name?: string; errors?: unknown[] };
type Verdict = { kind: ErrorKind; why: string; hint: string };

const settings = "The table and column names in the settings must be the application's own.";

/** By SQLSTATE (PostgreSQL, appendix A): the whole code, or its class of two characters. */
const verdicts: Record<string, Verdict> = {
  '28': { kind: 'misconfigured', why: 'user or password is refused', hint: 'Check the address and its secret.' },
  '3D': { kind: 'misconfigured', why: 'that database does not exist', hint: 'Check the address.' },
  '42P01': { kind: 'misconfigured', why: 'a table does not exist', hint: settings },
  '42703': { kind: 'misconfigured', why: 'a column does not exist', hint: settings },
  '3F': { kind: 'misconfigured', why: 'a schema does not exist', hint: settings },
  '42501': { kind: 'misconfigured', why: 'the user has no right to do that', hint: 'GRANT it, or use another user.' },
  '23502': {
    kind: 'misconfigured',
    why: 'the table wants a value that Opsroom does not know',
    hint: 'Add the row in the application.',
  },
  '22P02': {
    kind: 'invalid',
    why: 'a value does not fit its column',
    hint: "Ids and status words are the application's own.",
  },
  '25006': {
    kind: 'misconfigured',
    why: 'the database takes no changes (a standby?)',
    hint: 'Use the address of the primary.',
  },
  '23': { kind: 'conflict', why: 'it does not fit what else is stored', hint: 'Look at it in the application.' },
  '40': { kind: 'unavailable', why: 'others changed the same rows', hint: 'Try again.' },
  '57014': { kind: 'unavailable', why: 'it took too long', hint: 'Is something holding locks? Try again later.' },
  '53': {
    kind: 'unavailable',
    why: 'it has no room for more (connections, memory or disk)',
    hint: '!health postgres shows more.',
  },
  '57': { kind: 'unavailable', why: 'it is starting, stopping or in recovery', hint: 'Try again in a moment.' },
};

const neverSent = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENOENT', 'CONNECT_TIMEOUT']);

/** Translates what the driver threw. Queries and values, which it may carry, are left out. */
export function failureOf(thrown: unknown, what: What): OpsError {
  const { code = '', message = '', severity } = thrown as Thrown;
  const verdict = severity === undefined ? undefined : (verdicts[code] ?? verdicts[code.slice(0, 2)]);
  const refusedBy: Verdict = verdict ?? unanswered(severity, code);
  // A transaction that the server refused is rolled back; one that lost its connection may have been committed.
  const lost = severity === undefined && !neverSent.has(code);
  const effect: Effect = what.write && lost ? 'unknown' : 'none';
  const left =
    effect === 'unknown' ? ' It may or may not have been done.' : what.write ? ' This step changed nothing.' : '';
  return new OpsError(refusedBy.kind, `Cannot ${what.doing} in ${what.database}: ${refusedBy.why}.${left}`, {
    effect,
    hint: refusedBy.hint,
    cause: new Error(`${code} ${message}`.trim()),
  });
}

function unanswered(severity: string | undefined, code: string): Verdict {
  if (severity !== undefined)
    return { kind: 'internal', why: `it answered with error ${code}`, hint: 'The log has the text.' };
  return {
    kind: 'unavailable',
    why: `it cannot be reached (${code || 'no answer'})`,
    hint: 'Is PostgreSQL running? Then try again.',
  };
}
