import { OpsError } from './errors.ts';

/** A five-field cron expression, taken apart. Days of the week: 0 is Sunday. */
export type Cron = {
  text: string;
  minutes: readonly number[];
  hours: readonly number[];
  days: ReadonlySet<number>;
  months: ReadonlySet<number>;
  weekdays: ReadonlySet<number>;
  /** With both days given, either is enough (POSIX crontab); with one left at `*`, the other decides. */
  either: boolean;
};

const monthNames = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];
const dayNames = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];
const fields = [
  { name: 'minute', from: 0, to: 59, names: [] },
  { name: 'hour', from: 0, to: 23, names: [] },
  { name: 'day of the month', from: 1, to: 31, names: [] },
  { name: 'month', from: 1, to: 12, names: monthNames },
  { name: 'day of the week', from: 0, to: 7, names: dayNames },
] as const;
type Field = (typeof fields)[number];

const hint = 'Five fields: minute hour day month weekday, as in "0 2 * * *" or "*/15 8-18 * * MON-FRI".';
const wrong = (text: string, why: string) => new OpsError('invalid', `"${text}" is not a schedule: ${why}.`, { hint });

function parseNumber(field: Field, word: string, text: string): number {
  const named = (field.names as readonly string[]).indexOf(word.toUpperCase());
  const value = named >= 0 ? named + field.from : /^\d{1,2}$/.test(word) ? Number(word) : Number.NaN;
  if (!(value >= field.from && value <= field.to))
    throw wrong(text, `${field.name} "${word}" is not in ${field.from}-${field.to}`);
  return value;
}

function parseField(field: Field, part: string, text: string): number[] {
  const found = new Set<number>();
  for (const item of part.split(',')) {
    const match = /^(?:(\*)|(\w+)(?:-(\w+))?)(?:\/(\d{1,2}))?$/.exec(item);
    if (!match) throw wrong(text, `${field.name} "${item}" can't be read`);
    const [, star, low, high, stepText] = match;
    const step = stepText === undefined ? 1 : Number(stepText);
    if (step === 0) throw wrong(text, `${field.name} "${item}" steps by 0`);
    const from = star ? field.from : parseNumber(field, low ?? '', text);
    // `5/15` means from 5 on, as in Vixie cron.
    const to =
      star || (high === undefined && stepText !== undefined) ? field.to : parseNumber(field, high ?? low ?? '', text);
    if (to < from) throw wrong(text, `${field.name} "${item}" runs backwards`);
    for (let value = from; value <= to; value += step) found.add(value);
  }
  return [...found].toSorted((a, b) => a - b);
}

/** Throws `invalid`, also for a day that no month has. */
export function parseCron(text: string): Cron {
  const parts = text.trim().split(/\s+/);
  if (parts.length !== 5) throw wrong(text, `it has ${parts.length} fields`);
  const [minutes = [], hours = [], days = [], months = [], weekdays = []] = fields.map((field, index) =>
    parseField(field, parts[index] ?? '', text),
  );
  // A month's last possible day, February in a leap year.
  const lengths = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
  const free = (index: number) => (parts[index] ?? '').startsWith('*');
  if (free(4) && !months.some((month) => days.some((day) => day <= (lengths[month - 1] ?? 31)))) {
    throw wrong(text, 'no month has such a day');
  }
  return {
    text: parts.join(' '),
    minutes,
    hours,
    days: new Set(days),
    months: new Set(months),
    weekdays: new Set(weekdays.map((day) => day % 7)),
    either: !free(2) && !free(4),
  };
}

/** `weekday` as Temporal counts: 1 Monday to 7 Sunday. */
export function matchesDay(cron: Cron, date: { month: number; day: number; dayOfWeek: number }): boolean {
  if (!cron.months.has(date.month)) return false;
  const [day, weekday] = [cron.days.has(date.day), cron.weekdays.has(date.dayOfWeek % 7)];
  return cron.either ? day || weekday : day && weekday;
}
