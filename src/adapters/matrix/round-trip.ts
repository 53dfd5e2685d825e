import type { Clock } from '#domain/clock.ts';
import type { RoundTrip, RoundTripTime } from '#domain/probes.ts';

export type RoundTripHands = {
  /** Sends a probe into the private room. Gives its event id. */
  send: (body: string, signal: AbortSignal) => Promise<string>;
  /** Resolves when the bot's own sync shows an event for which `is` holds; asked before it is sent, since the sync may be first. */
  waitFor: (is: (event: { id: string; body: string | undefined }) => boolean, signal: AbortSignal) => Promise<void>;
  clock: Clock;
};

/** Measures what people wait for: from sending to seeing it in the sync. */
export function roundTrip({ send, waitFor, clock }: RoundTripHands): RoundTrip {
  let count = 0;
  return {
    async measure(giveUpMs: number, signal: AbortSignal): Promise<RoundTripTime> {
      const body = `probe ${clock.now()} ${++count}`;
      const enough = new AbortController();
      const both = AbortSignal.any([signal, enough.signal]);
      const start = clock.monotonicMs();
      const since = () => clock.monotonicMs() - start;
      const seen = waitFor((event) => event.body === body, both).then(() => true);
      const gaveUp = clock.sleep(giveUpMs, both).then(() => false);
      // Both are awaited below, or nobody cares for them any more.
      seen.catch(() => undefined);
      gaveUp.catch(() => undefined);
      try {
        const sent = send(body, both).then(() => since());
        // A send that hangs past the end is slowness that was seen, not a probe that failed.
        const sendMs = await Promise.race([sent, gaveUp.then(() => undefined)]);
        if (sendMs === undefined) {
          sent.catch(() => undefined);
          return { sendMs: since(), totalMs: since(), seen: false };
        }
        const inTime = await Promise.race([seen, gaveUp]);
        return { sendMs, totalMs: since(), seen: inTime };
      } finally {
        enough.abort();
      }
    },
  };
}
