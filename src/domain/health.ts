import type { EpochMs } from './clock.ts';
import type { Verdict } from './messages.ts';

/** One verdict on one value: what was read, its limit, since when it is so. */
export type Finding = {
  /** `synapse.sync_latency` */
  name: string;
  /** The part of the house: `synapse`, `postgres`, `livekit`, `disk`, `certificate`, `backup`, `bot`. */
  part: string;
  /** `sync latency` */
  title: string;
  verdict: Verdict;
  /** With its unit: `0.21 s`. */
  value: string;
  /** `above 5 s`; undefined when it has none. */
  limit: string | undefined;
  /** Why it is unknown, or what helps. */
  note: string | undefined;
  since: EpochMs | undefined;
  readAt: EpochMs | undefined;
};

export type CheckInfo = { name: string; part: string; title: string; everyMs: number };

/** The verdicts from stored readings; the engine implements it. */
export interface Health {
  findings(part?: string): Finding[];
  verdict(): Verdict;
  checks(): CheckInfo[];
  /** Runs one check, or all, now, stores the readings and gives the findings. Throws `notFound`. */
  runNow(name?: string): Promise<Finding[]>;
}
