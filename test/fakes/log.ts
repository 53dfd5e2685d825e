import type { Log } from '#domain/log.ts';

type Level = 'debug' | 'info' | 'warn' | 'error';

/** Keeps what was logged. */
export class FakeLog implements Log {
  readonly entries: Array<{ level: Level; fields: object; message: string }> = [];

  debug(fields: object, message: string): void {
    this.entries.push({ level: 'debug', fields, message });
  }

  info(fields: object, message: string): void {
    this.entries.push({ level: 'info', fields, message });
  }

  warn(fields: object, message: string): void {
    this.entries.push({ level: 'warn', fields, message });
  }

  error(fields: object, message: string): void {
    this.entries.push({ level: 'error', fields, message });
  }

  messages(level: Level): string[] {
    return this.entries.filter((entry) => entry.level === level).map(({ message }) => message);
  }
}
