import pino from 'pino';
import type { Log } from '#domain/log.ts';
import { Scrubber } from '#domain/scrubber.ts';

export type LogOptions = {
  level: string;
  format: 'json' | 'pretty';
  write?: (line: string) => void;
  /** By default only what looks like a secret is hidden. */
  scrubber?: Scrubber;
};

/** One JSON line each on stderr, without secrets; `pretty` is one short line for people. */
export function openLog(options: LogOptions): Log {
  const write = options.write ?? ((line: string) => process.stderr.write(line));
  const scrubber = options.scrubber ?? new Scrubber();
  const shown = options.format === 'pretty' ? pretty : (line: string) => line;
  const stream = { write: (line: string) => write(shown(scrubber.text(line))) };
  return pino({ level: options.level, base: null, serializers: { error: told, cause: told } }, stream);
}

type Parsed = Record<string, unknown> & { level: number; time: number };

function pretty(line: string): string {
  let parsed: Parsed;
  try {
    parsed = JSON.parse(line) as Parsed;
  } catch {
    // What was hidden took a part of the line's own signs with it.
    return line;
  }
  const { level, time, msg, ...fields } = parsed;
  const name = pino.levels.labels[level] ?? String(level);
  const at = new Date(time).toISOString().slice(11, 19);
  const rest = Object.entries(fields).map(
    ([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  return `${at} ${name} ${String(msg)}${rest.length > 0 ? `  ${rest.join(' ')}` : ''}\n`;
}

/** An error with its stack and what caused it; JSON alone would make `{}` of it. */
function told(value: unknown): unknown {
  if (!(value instanceof Error)) return value;
  const { kind } = value as { kind?: unknown };
  return {
    ...(typeof kind === 'string' ? { kind } : {}),
    message: value.message,
    stack: value.stack,
    ...(value.cause === undefined ? {} : { cause: told(value.cause) }),
  };
}
