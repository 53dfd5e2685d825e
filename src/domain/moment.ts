import type { EpochMs } from './clock.ts';

/** A time for people in their zone, with the offset: `2026-08-01 02:00 +02:00`, today without the date. */
export function formatMoment(at: EpochMs, timezone: string, now?: EpochMs): string {
  const moment = Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(timezone);
  const clock = `${moment.toPlainTime().toString({ smallestUnit: 'minute' })} ${moment.offset}`;
  const date = moment.toPlainDate();
  if (now === undefined) return `${date.toString()} ${clock}`;
  const today = Temporal.Instant.fromEpochMilliseconds(now).toZonedDateTimeISO(timezone).toPlainDate();
  return date.equals(today) ? clock : `${date.toString()} ${clock}`;
}
