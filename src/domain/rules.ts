import type { EpochMs } from './clock.ts';
import type { Verdict } from './messages.ts';
import type { Reading } from './readings.ts';
import { formatValue, type Unit } from './units.ts';

/** The last values of one check, by name. */
export type Values = Readonly<Record<string, number | undefined>>;

/** A limit on one value of a check. Its defaults stand in the check; the settings may override each number. */
export type Rule = {
  /** As the settings name it: `sync-latency`. */
  name: string;
  /** The word of its alert: `SyncSlow`. */
  alert: string;
  /** The value it judges. */
  of: string;
  is: 'above' | 'below';
  warning?: number | undefined;
  critical?: number | undefined;
  /** How long it has to be so before it is an alert; a verdict shows it at once. */
  forMs: number;
  /** What helps; shown where the rule is broken. */
  help: string;
  /** Further numbers that the settings may override. */
  options?: Readonly<Record<string, number>>;
  /** The true limit where it depends on more than the number: undefined when it can't be broken now. */
  bound?: (limit: number, values: Values, options: Readonly<Record<string, number>>) => number | undefined;
  /** Rules whose alert explains this one: while one of them is broken, this one tells nobody. */
  inhibitedBy?: readonly string[];
};

export const badVerdicts = ['warning', 'critical'] as const;
export type Bad = (typeof badVerdicts)[number];
export const isBad = (verdict: Verdict): verdict is Bad => verdict === 'warning' || verdict === 'critical';

/** From the least to the worst: what couldn't be asked is worse than well and better than known to be bad. */
const order: readonly Verdict[] = ['none', 'ok', 'unknown', 'warning', 'critical'];
export const worst = (verdicts: readonly Verdict[]): Verdict =>
  verdicts.reduce<Verdict>((a, b) => (order.indexOf(b) > order.indexOf(a) ? b : a), 'none');

function boundOf(rule: Rule, level: Bad, values: Values): number | undefined {
  const limit = rule[level];
  if (limit === undefined) return undefined;
  return rule.bound === undefined ? limit : rule.bound(limit, values, rule.options ?? {});
}

/** The verdict of one rule on one value. */
export function judge(rule: Rule, value: number | undefined, values: Values): Verdict {
  if (value === undefined) return 'unknown';
  const broken = (level: Bad): boolean => {
    const bound = boundOf(rule, level, values);
    return bound !== undefined && (rule.is === 'above' ? value > bound : value < bound);
  };
  return broken('critical') ? 'critical' : broken('warning') ? 'warning' : 'ok';
}

/** The limit in words: the one that is broken, else the first that would be. `above 5 s`. */
export function limitText(rule: Rule, unit: Unit, verdict: Verdict, values: Values): string | undefined {
  const level = isBad(verdict) ? verdict : rule.warning === undefined ? 'critical' : 'warning';
  const bound = boundOf(rule, level, values);
  if (bound === undefined || unit === 'up') return undefined;
  return `${rule.is} ${formatValue(unit, bound)}`;
}

/**
 * Since when the readings, oldest first, have been so without a break up to the last one. A reading that is unknown
 * neither breaks nor begins it.
 */
export function since(
  readings: readonly Reading[],
  holds: (value: number | undefined) => boolean,
): EpochMs | undefined {
  let start: EpochMs | undefined;
  for (const reading of readings.toReversed()) {
    if (holds(reading.value)) start = reading.at;
    else if (reading.value !== undefined || start === undefined) break;
  }
  return start;
}
