import { OpsError } from '#domain/errors.ts';
import { fromBase } from '#domain/units.ts';
import type { NamedCheck } from './check.ts';
import { distance } from './words.ts';

/** A rule as the settings override it, in base units (seconds, bytes, shares). */
export type RuleSetting = {
  warning?: number | undefined;
  critical?: number | undefined;
  forMs?: number | undefined;
  off?: boolean | undefined;
};

/** The checks with the limits of the settings. Throws `misconfigured` for a rule that no check has. */
export function applyRules(
  checks: readonly NamedCheck[],
  settings: Readonly<Record<string, RuleSetting>>,
): NamedCheck[] {
  const known = checks.flatMap((check) => check.rules.map((rule) => rule.name));
  for (const name of Object.keys(settings)) {
    if (known.includes(name)) continue;
    const near = known.toSorted((a, b) => distance(a, name) - distance(b, name))[0];
    throw new OpsError('misconfigured', `alerts.rules.${name}: no check has such a rule.`, {
      hint: `The nearest is ${near}. All: ${known.toSorted().join(', ')}.`,
    });
  }
  return checks.map((check) => ({
    ...check,
    rules: check.rules.flatMap((rule) => {
      const set = settings[rule.name];
      if (set?.off) return [];
      const unit = check.values[rule.of]?.unit ?? 'count';
      const limit = (value: number | undefined, preset: number | undefined) =>
        value === undefined ? preset : fromBase(unit, value);
      return [
        {
          ...rule,
          warning: limit(set?.warning, rule.warning),
          critical: limit(set?.critical, rule.critical),
          forMs: set?.forMs ?? rule.forMs,
        },
      ];
    }),
  }));
}
