import { formatDuration } from '#domain/duration.ts';
import { formatValue } from '#domain/units.ts';
import type { Check } from '#engine/check.ts';
import { table } from './table.ts';

/** The rules that `alerts.rules` may override, with their built-in limits. */
export function rulesReference(checks: readonly Check[]): string {
  const rows = checks.flatMap((check) =>
    check.rules.map((rule) => {
      const { title, unit } = check.values[rule.of] ?? { title: rule.of, unit: 'count' as const };
      const shown = (value: number | undefined): string =>
        value === undefined ? '' : unit === 'up' ? 'if not' : `${rule.is} ${formatValue(unit, value)}`;
      const time = rule.forMs === 0 ? 'at once' : formatDuration(rule.forMs);
      return [`\`${rule.name}\``, `${check.part}: ${title}`, shown(rule.warning), shown(rule.critical), time];
    }),
  );
  const intro = 'What the bot checks by itself. A rule without limits is shown but tells nobody until it is given one.';
  const head = ['rule', 'of', 'warning', 'critical (pages)', 'for'];
  return `${['', '## Rules', '', intro, '', ...table(head, rows)].join('\n')}\n`;
}
