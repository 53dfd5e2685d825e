import pino from 'pino';
import type { Log } from '#domain/log.ts';

export type LogOptions = { level: string; format: 'json' | 'pretty'; write?: (line: string) => void };

/** One JSON line each on stderr; `pretty` is one short line for people. */
export function openLog(options: LogOptions): Log {
  const write = options.write ?? ((line: string) => process.stderr.write(line));
  const stream = { write: (line: string) => write(options.format === 'pretty' ? pretty(line) : line) };
  return pino({ level: options.level, base: null, serializers: { error: told, cause: told } }, stream);
}

function pretty(line: string): string {
  const { level, time, msg, ...fields } = JSON.parse(line) as Record<string, unknown> & { level: number; time: number };
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
