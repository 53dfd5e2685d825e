import type { EpochMs } from './clock.ts';
import { OpsError } from './errors.ts';

const unitMs: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

const longest = 60;
const shape = /^(?:\d{1,16}(?:ms|s|m|h|d|w))+$/;
/** As much of what was typed as an error repeats. */
const short = (text: string): string => (text.length > longest ? `${text.slice(0, longest)}…`.toWellFormed() : text);

/** `90s`, `5m`, `2h`, `1h30m`, `30d` -> milliseconds. Throws `invalid`; nothing above 10 years. */
export function parseDuration(text: string): number {
  const whole = text.trim().toLowerCase();
  // Looked at as a whole first: what is no duration costs no more than its length.
  const parts = whole.length <= longest && shape.test(whole) ? [...whole.matchAll(/(\d+)(ms|s|m|h|d|w)/g)] : [];
  const ms = parts.reduce((sum, part) => sum + Number(part[1]) * (unitMs[part[2] ?? ''] ?? Number.NaN), 0);
  if (parts.length === 0 || !Number.isSafeInteger(ms) || ms > 3650 * 86_400_000) {
    throw new OpsError('invalid', `"${short(text)}" is not a duration.`, { hint: 'Write 90s, 5m, 2h, 1h30m or 30d.' });
  }
  return ms;
}

/** In words that fit a phone, two units at most: `850 ms`, `2.4 s`, `1 min 5 s`, `3 h 20 min`, `12 d`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${(ms / 1000).toFixed(1).replace(/\.0$/, '')} s`;
  const seconds = Math.round(ms / 1000);
  const units: Array<[number, string]> = [
    [86_400, 'd'],
    [3600, 'h'],
    [60, 'min'],
    [1, 's'],
  ];
  const first = units.findIndex(([size]) => seconds >= size);
  const [size, name] = units[first] ?? [1, 's'];
  const next = units[first + 1];
  const rest = next === undefined ? 0 : Math.floor((seconds % size) / next[0]);
  return `${Math.floor(seconds / size)} ${name}${next !== undefined && rest > 0 ? ` ${rest} ${next[1]}` : ''}`;
}

/** `1.4 GiB`, `12 KiB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const index = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** index;
  return `${index === 0 ? value : value.toFixed(value < 10 ? 1 : 0)} ${units[index]}`;
}

const unitBytes: Record<string, number> = { b: 1, kib: 1024, mib: 1024 ** 2, gib: 1024 ** 3, tib: 1024 ** 4 };

/** `512B`, `10MiB`, `1.5 GiB` -> bytes. Throws `invalid`; `MB` is refused, since it means two things. */
export function parseBytes(text: string): number {
  const match = text.length > longest ? null : /^(\d+(?:\.\d+)?) ?([kmgt]i)?b$/i.exec(text.trim());
  const bytes = Number(match?.[1]) * (unitBytes[`${match?.[2] ?? ''}b`.toLowerCase()] ?? Number.NaN);
  if (!Number.isSafeInteger(Math.round(bytes))) {
    throw new OpsError('invalid', `"${short(text)}" is not a size.`, { hint: 'Write 512KiB, 10MiB or 1.5GiB.' });
  }
  return Math.round(bytes);
}

/** `3 d ago`, `just now`. */
export function ago(at: EpochMs, now: EpochMs): string {
  return now - at < 10_000 ? 'just now' : `${formatDuration(now - at)} ago`;
}
