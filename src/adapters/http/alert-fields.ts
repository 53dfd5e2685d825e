import type { Severity, Signal } from '#domain/incidents.ts';
import { Unreadable } from './body.ts';

const words: Record<Severity, readonly string[]> = {
  critical: ['critical', 'crit', 'page', 'emergency', 'fatal', 'disaster', 'high', 'error', 'p1'],
  warning: ['warning', 'warn', 'average', 'medium', 'p2'],
  info: ['info', 'information', 'informational', 'notice', 'none', 'low', 'ok', 'debug', 'p3', 'p4', 'p5'],
};
const deepest = 64;
const largestBytes = 1024 ** 2;
const mostAlerts = 50_000;

/** Alerts that were understood, and why others were not. */
export type Read = { signals: Signal[]; understood: number; bad: string[] };

/** Others' words for it; a word that nobody knows, or none, is a warning: shown, and wakes nobody. */
export function severityOf(word: string | undefined): Severity {
  const low = word?.trim().toLowerCase() ?? '';
  return (['critical', 'info'] as const).find((severity) => words[severity].includes(low)) ?? 'warning';
}

export const oneLine = (text: string, most: number): string => {
  const line = text
    .slice(0, 4 * most)
    .replaceAll(/\s+/g, ' ')
    .trim();
  return line.length > most || text.length > 4 * most
    ? `${line.slice(0, most - 1).toWellFormed()}…`
    : line.toWellFormed();
};

/** As much of the labels as an incident keeps. */
export const shortLabels = (labels: Record<string, string>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(labels)
      .slice(0, 64)
      .map(([name, value]) => [oneLine(name, 200), oneLine(value, 500)]),
  );

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A text, or a number or such as one; undefined for what is neither, so that one odd field spoils nothing else. */
export function wordOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
}

/** Names and texts; a value that is no text is written as JSON, none at all is empty. */
export function wordsIn(value: unknown): Record<string, string> {
  if (!isRecord(value)) return {};
  const entries = Object.entries(value).map(([key, item]) => [
    key,
    wordOf(item) ?? (item == null ? '' : JSON.stringify(item)),
  ]);
  return Object.fromEntries(entries) as Record<string, string>;
}

/** Its time as far as it can be true: not before 1970, not in the future. */
export function startOf(value: unknown, now: number): number {
  const at = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return at > 0 ? Math.min(at, now) : 0;
}

/** Throws `Unreadable` for an alert that is too deep or too large to be looked at. */
export function demandModest(alert: unknown): asserts alert is Record<string, unknown> {
  if (!isRecord(alert)) throw new Unreadable('it is no object');
  let bytes = 0;
  const left: Array<{ value: unknown; depth: number }> = [{ value: alert, depth: 1 }];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const { value, depth } = next;
    if (typeof value === 'string') bytes += Buffer.byteLength(value);
    else bytes += 8;
    if (typeof value === 'object' && value !== null) {
      if (depth > deepest) throw new Unreadable(`it is nested more than ${deepest} levels deep`);
      for (const [key, item] of Object.entries(value)) {
        bytes += key.length;
        left.push({ value: item, depth: depth + 1 });
      }
    }
    if (bytes > largestBytes) throw new Unreadable('it is larger than 1 MiB');
  }
}

/** One by one: what is wrong with one alert costs no other. */
export function readEach(alerts: readonly unknown[], read: (alert: Record<string, unknown>) => Signal): Read {
  const signals: Signal[] = [];
  const bad: string[] = [];
  for (const [at, alert] of alerts.slice(0, mostAlerts).entries()) {
    try {
      demandModest(alert);
      signals.push(read(alert));
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      bad.push(`alert ${at + 1}: ${error.message}`);
    }
  }
  if (alerts.length > mostAlerts)
    bad.push(`${alerts.length - mostAlerts} more than the ${mostAlerts} that one post may hold`);
  return { signals, understood: signals.length, bad };
}
