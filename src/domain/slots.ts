import type { EpochMs } from './clock.ts';
import { type Cron, matchesDay } from './cron.ts';

/** A schedule: a cron expression on the clock of a zone. */
export type Schedule = { cron: Cron; timezone: string };

const local = (at: EpochMs, timezone: string): Temporal.ZonedDateTime =>
  Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(timezone);

/**
 * The instants of one local time. Skipped by the clock: the moment after the gap. Repeated: the first, once; but a
 * schedule for every hour of the day counts hours, so it gets both and has no hole of two hours.
 */
function instantsOf(time: Temporal.PlainDateTime, timezone: string, everyHour: boolean): EpochMs[] {
  const first = time.toZonedDateTime(timezone, { disambiguation: 'earlier' });
  if (!first.toPlainDateTime().equals(time)) {
    // `earlier` of a time in a gap lies before the gap, so the next change of the zone is its end.
    return [(first.getTimeZoneTransition('next') ?? first).epochMilliseconds];
  }
  if (!everyHour) return [first.epochMilliseconds];
  const second = time.toZonedDateTime(timezone, { disambiguation: 'later' });
  return [...new Set([first.epochMilliseconds, second.epochMilliseconds])];
}

/** The slots of one local date, in order and each once. */
function slotsOfDate({ cron, timezone }: Schedule, date: Temporal.PlainDate): EpochMs[] {
  if (!matchesDay(cron, date)) return [];
  const everyHour = cron.hours.length === 24;
  const found = new Set<EpochMs>();
  for (const hour of cron.hours) {
    for (const minute of cron.minutes) {
      for (const at of instantsOf(date.toPlainDateTime({ hour, minute }), timezone, everyHour)) found.add(at);
    }
  }
  return [...found].toSorted((a, b) => a - b);
}

/**
 * What is due after `after` up to and with `until`, oldest first. Depends on nothing else, so whoever keeps `until` and
 * asks again from there gets every slot exactly once.
 */
export function dueSlots(schedule: Schedule, after: EpochMs, until: EpochMs): EpochMs[] {
  if (until <= after) return [];
  const due = new Set<EpochMs>();
  // A date may be skipped whole (Samoa, 2011), and its slots then lie on the next: so one day more on either side.
  const last = local(until, schedule.timezone).toPlainDate().add({ days: 1 });
  let date = local(after, schedule.timezone).toPlainDate().subtract({ days: 1 });
  for (; Temporal.PlainDate.compare(date, last) <= 0; date = date.add({ days: 1 })) {
    for (const at of slotsOfDate(schedule, date)) if (at > after && at <= until) due.add(at);
  }
  return [...due].toSorted((a, b) => a - b);
}

// Nine years hold a 29 February even around 2100.
const horizonDays = 9 * 366;

/** The first slot after `after`. Undefined when there is none within nine years. */
export function nextSlot(schedule: Schedule, after: EpochMs): EpochMs | undefined {
  let date = local(after, schedule.timezone).toPlainDate().subtract({ days: 1 });
  for (let day = 0; day <= horizonDays; day++, date = date.add({ days: 1 })) {
    const at = slotsOfDate(schedule, date).find((slot) => slot > after);
    if (at !== undefined) return at;
  }
  return undefined;
}

/** Time from a slot to the one after it. */
export const periodAfter = (schedule: Schedule, slot: EpochMs): number => (nextSlot(schedule, slot) ?? Infinity) - slot;
