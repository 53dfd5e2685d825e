import type { Severity } from '#domain/incidents.ts';

const words: Record<Severity, readonly string[]> = {
  critical: ['critical', 'crit', 'page', 'emergency', 'fatal', 'disaster', 'high', 'error', 'p1'],
  warning: ['warning', 'warn', 'average', 'medium', 'p2'],
  info: ['info', 'information', 'informational', 'notice', 'none', 'low', 'ok', 'debug', 'p3', 'p4', 'p5'],
};

/** Others' words for it; a word that nobody knows, or none, is a warning: shown, and wakes nobody. */
export function severityOf(word: string | undefined): Severity {
  const low = word?.trim().toLowerCase() ?? '';
  return (['critical', 'info'] as const).find((severity) => words[severity].includes(low)) ?? 'warning';
}

export const oneLine = (text: string, most: number): string => {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return line.length > most ? `${line.slice(0, most - 1)}…` : line;
};

/** As much of the labels as an incident keeps. */
export const shortLabels = (labels: Record<string, string>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(labels)
      .slice(0, 64)
      .map(([name, value]) => [oneLine(name, 200), oneLine(value, 500)]),
  );
