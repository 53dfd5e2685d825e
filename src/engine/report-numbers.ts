import type { EpochMs } from '#domain/clock.ts';
import type { Reading, Readings } from '#domain/readings.ts';
import { formatValue, type Unit } from '#domain/units.ts';

/** How a day of readings becomes one number. */
type Kind = 'p95' | 'most' | 'last';
type Figure = { series: string; title: string; unit: Unit; kind: Kind };

const numbers: readonly Figure[] = [
  { series: 'sync-latency.round_trip_ms', title: 'sync latency (p95)', unit: 'ms', kind: 'p95' },
  { series: 'database-pool.used_ratio', title: 'database pool (most)', unit: 'ratio', kind: 'most' },
  { series: 'federation-lag.behind_ms', title: 'federation lag (most)', unit: 'ms', kind: 'most' },
  { series: 'synapse-memory.resident_bytes', title: 'Synapse memory', unit: 'bytes', kind: 'last' },
  { series: 'postgres.connections_ratio', title: 'connections (most)', unit: 'ratio', kind: 'most' },
  { series: 'postgres.database_bytes', title: 'database size', unit: 'bytes', kind: 'last' },
  { series: 'livekit-participants.participants', title: 'people in calls (most)', unit: 'count', kind: 'most' },
  { series: 'livekit-bandwidth.out_bits_per_second', title: 'call traffic out (most)', unit: 'bits/s', kind: 'most' },
  {
    series: 'livekit-failed-connections.failed_ratio',
    title: 'failed connections (most)',
    unit: 'ratio',
    kind: 'most',
  },
];

const dayMs = 86_400_000;
// Below this a change of a size is noise.
const notable = 0.1;

export type ReportRow = { title: string; today: string; yesterday: string };
export type ReportNumbers = { rows: ReportRow[]; changes: string[] };

/** The numbers of the last 24 h beside those of the 24 h before. What was never read isn't listed. */
export function reportNumbers(readings: Readings, site: string, now: EpochMs): ReportNumbers {
  const disks = readings
    .lastOf(site, 'disk.free_bytes:')
    .filter(({ at }) => at > now - dayMs)
    .map(({ series }): Figure => ({
      series,
      title: `free on ${series.slice(series.indexOf(':') + 1)}`,
      unit: 'bytes',
      kind: 'last',
    }));
  const found = [...numbers, ...disks].flatMap((number) => {
    const two = readings.since(site, number.series, now - 2 * dayMs);
    const today = two.filter(({ at }) => at > now - dayMs);
    if (today.length === 0) return [];
    return [{ number, today, before: two.slice(0, two.length - today.length) }];
  });
  return {
    rows: found.map(({ number, today, before }) => ({
      title: number.title,
      today: show(number, today),
      yesterday: show(number, before),
    })),
    changes: found.flatMap(({ number, today, before }) => changeOf(number, today, before)),
  };
}

function show(number: Figure, readings: readonly Reading[]): string {
  if (readings.length === 0) return '–';
  const value = valueOf(number.kind, readings);
  if (value === undefined) return 'unknown';
  const missing = readings.filter((reading) => reading.value === undefined).length / readings.length;
  // A day with holes must not look whole.
  const holes = missing >= 0.01 ? ` (unknown ${Math.round(missing * 100)} % of the day)` : '';
  return `${formatValue(number.unit, value)}${holes}`;
}

function changeOf(number: Figure, today: readonly Reading[], before: readonly Reading[]): string[] {
  const [is, was] = [valueOf(number.kind, today), valueOf(number.kind, before)];
  if (number.kind !== 'last' || is === undefined || was === undefined || was <= 0) return [];
  const change = is / was - 1;
  if (Math.abs(change) < notable) return [];
  const percent = `${change > 0 ? '+' : '−'}${Math.round(Math.abs(change) * 100)} %`;
  return [`${number.title}: ${formatValue(number.unit, was)} → ${formatValue(number.unit, is)} (${percent})`];
}

function valueOf(kind: Kind, readings: readonly Reading[]): number | undefined {
  const values = readings.flatMap(({ value }) => (value === undefined ? [] : [value]));
  if (kind === 'last') return values.at(-1);
  const sorted = values.toSorted((a, b) => a - b);
  // Nearest rank.
  return kind === 'most' ? sorted.at(-1) : sorted[Math.ceil(0.95 * sorted.length) - 1];
}
