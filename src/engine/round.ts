import type { EpochMs } from '#domain/clock.ts';
import type { Reading } from '#domain/readings.ts';
import { judge, type Rule, type Values } from '#domain/rules.ts';
import type { Verdict } from '#domain/messages.ts';
import { type NamedCheck, partsOfSeries } from './check.ts';

/** One reading of a check, all values at the same time. */
export type Round = { at: EpochMs; readings: readonly Reading[] };

/** The newest round in a mixture of old and new readings: what vanished (a disk, a host) isn't in it. */
export function newestRound(readings: readonly Reading[]): Round | undefined {
  const at = Math.max(...readings.map((reading) => reading.at));
  return readings.length === 0 ? undefined : { at, readings: readings.filter((reading) => reading.at === at) };
}

/** Nothing of it could be read. */
export const isBlank = (round: Round): boolean => round.readings.every((reading) => reading.value === undefined);

export type Judged = { rule: Rule; reading: Reading; of: string | undefined; values: Values; verdict: Verdict };

/** Every rule on every value it is for. A rule whose value wasn't read this time judges nothing. */
export function judgeRound(check: NamedCheck, round: Round): Judged[] {
  const parts = round.readings.map((reading) => ({ reading, ...partsOfSeries(check.name, reading.series) }));
  return parts.flatMap(({ reading, name, of }) => {
    const values = Object.fromEntries(
      parts
        .filter((other) => other.of === of || other.of === undefined)
        .map((other) => [other.name, other.reading.value]),
    );
    return check.rules
      .filter((rule) => rule.of === name)
      .map((rule) => ({ rule, reading, of, values, verdict: judge(rule, reading.value, values) }));
  });
}
