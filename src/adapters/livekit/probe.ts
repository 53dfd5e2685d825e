import type { Clock } from '#domain/clock.ts';
import { OpsError } from '#domain/errors.ts';
import { failureOf } from './failures.ts';

const probeTimeoutMs = 5000;

/** `GET /`: 200, or 406 while the node's statistics are older than 4 s. Needs no key and says nothing of ICE or Redis. */
export async function probeHealth(url: string, clock: Clock): Promise<{ latencyMs: number }> {
  const doing = 'ask LiveKit for its health';
  const startMs = clock.monotonicMs();
  try {
    const response = await fetch(`${url}/`, { signal: AbortSignal.timeout(probeTimeoutMs), redirect: 'manual' });
    await response.text();
    if (response.ok) return { latencyMs: clock.monotonicMs() - startMs };
    const why = response.status === 406 ? 'LiveKit says it is not ready' : `it answered ${response.status}`;
    throw new OpsError('unavailable', `Cannot ${doing}: ${why}.`);
  } catch (error) {
    throw error instanceof OpsError ? error : failureOf(error, doing, false);
  }
}
