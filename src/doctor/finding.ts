import type { Clock } from '#domain/clock.ts';
import { asOpsError, OpsError } from '#domain/errors.ts';

/**
 * `off`: the settings leave it out; that is no fault. A warning is none either. `unknown`: what it needs is wrong, and
 * told of by itself.
 */
export type Mark = 'well' | 'warning' | 'wrong' | 'off' | 'unknown';
/** `mend`: the command or setting that mends it. */
export type Finding = { mark: Mark; text: string; mend?: string };
/** Looks at one thing. What it throws is a finding too. */
export type Look = { part: string; look: (signal: AbortSignal) => Promise<Finding> };

export const well = (text: string): Finding => ({ mark: 'well', text });
export const off = (text: string): Finding => ({ mark: 'off', text });
export const unknown = (text: string): Finding => ({ mark: 'unknown', text });
export const warning = (text: string, mend: string): Finding => ({ mark: 'warning', text, mend });
export const wrong = (text: string, mend: string): Finding => ({ mark: 'wrong', text, mend });

/** Longer than any time-out of the adapters: those say more. */
const longestLookMs = 20_000;

/** Never throws, and never takes longer than it may. */
export async function examine({ look }: Look, clock: Clock): Promise<Finding> {
  const done = new AbortController();
  const ended = clock.sleep(longestLookMs, done.signal).then(() => {
    throw new OpsError('unavailable', `Nothing came in ${longestLookMs / 1000} s.`);
  });
  ended.catch(() => undefined);
  try {
    return await Promise.race([look(AbortSignal.any([done.signal, AbortSignal.timeout(longestLookMs)])), ended]);
  } catch (error) {
    const { kind, message, hint, cause } = asOpsError(error);
    if (kind === 'cancelled') return unknown(message);
    if (kind !== 'internal') return { mark: 'wrong', text: message, ...(hint !== undefined && { mend: hint }) };
    return { mark: 'wrong', text: `It could not be looked at (${cause instanceof Error ? cause.name : 'unknown'}).` };
  } finally {
    done.abort();
  }
}

/** One fault is told once: what depends on it is not known. */
export const dependent = <T>(answer: Promise<T>, why: string): Promise<T> =>
  answer.catch(() => {
    throw new OpsError('cancelled', `not known: ${why}`);
  });

/** What others depend on: asked once. */
export function shared<T>(ask: () => Promise<T>): () => Promise<T> {
  let answer: Promise<T> | undefined;
  return () => {
    answer ??= ask();
    answer.catch(() => undefined);
    return answer;
  };
}
