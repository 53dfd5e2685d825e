/** One line of the table: ours beside the baseline of the same run. */
export type Figure = {
  what: string;
  unit: 'ms' | 'MB' | 's';
  ours: number;
  baseline: number;
  /** The ratio that may not be exceeded; without one the line only informs. */
  goal?: number;
};

/** Nearest rank: the smallest value that `share` of all values don't exceed. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
  if (at === undefined) throw new Error('There is nothing to take a quantile of.');
  return at;
}

export const median = (values: readonly number[]): number => quantile(values, 0.5);

const ratioOf = ({ ours, baseline }: Figure): number => ours / baseline;
export const isMet = (figure: Figure): boolean => figure.goal === undefined || ratioOf(figure) <= figure.goal;

function shown(value: number, unit: Figure['unit']): string {
  return `${value.toFixed(unit === 's' ? 2 : 1)} ${unit}`;
}

/** The figures as a table in Markdown. */
export function table(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => [
    figure.what,
    shown(figure.ours, figure.unit),
    shown(figure.baseline, figure.unit),
    ratioOf(figure).toFixed(2),
    figure.goal === undefined ? '-' : `<= ${figure.goal.toFixed(2)}`,
    figure.goal === undefined ? '-' : isMet(figure) ? 'yes' : 'NO',
  ]);
  const all = [['figure', 'Opsroom', 'baseline', 'ratio', 'goal', 'ok'], ...rows];
  const widths = all[0]!.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!))).join(' | ')} |`;
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`;
  return [line(all[0]!), rule, ...all.slice(1).map(line)].join('\n');
}
