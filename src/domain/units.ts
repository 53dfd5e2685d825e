import { formatBytes, formatDuration } from './duration.ts';

/** What a number of a check is. `up`: 1 or 0. `ratio`: 0 to 1, shown in percent. `times`: a multiple of something. */
export type Unit = 'up' | 'ms' | 'bytes' | 'ratio' | 'count' | 'bits/s' | 'times';

const rounded = (value: number, digits: number): string => String(Number(value.toFixed(digits)));

function formatBits(bitsPerSecond: number): string {
  const units = ['bit/s', 'kbit/s', 'Mbit/s', 'Gbit/s', 'Tbit/s'];
  const index = bitsPerSecond < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bitsPerSecond) / 3));
  const value = bitsPerSecond / 1000 ** index;
  return `${rounded(value, value < 10 ? 2 : 0)} ${units[index]}`;
}

/** A value with its unit, as a person reads it: `210 ms`, `4.0 GiB`, `87 %`. */
export function formatValue(unit: Unit, value: number): string {
  switch (unit) {
    case 'up':
      return value > 0 ? 'up' : 'down';
    case 'ms':
      return value < 0 ? `${formatDuration(-value)} ago` : formatDuration(value);
    case 'bytes':
      return value < 0 ? `-${formatBytes(-value)}` : formatBytes(value);
    case 'ratio':
      return `${rounded(value * 100, value < 0.1 ? 1 : 0)} %`;
    case 'bits/s':
      return formatBits(value);
    case 'times':
      return `${rounded(value, 1)}×`;
    case 'count':
      return rounded(value, 1);
  }
}

/** A limit of the settings, in base units (seconds for times), as the checks count it. */
export const fromBase = (unit: Unit, value: number): number => (unit === 'ms' ? value * 1000 : value);
