import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseCron } from '#domain/cron.ts';
import { dueSlots, nextSlot, periodAfter } from '#domain/slots.ts';
import { slotsByWatching, walk, zones } from '#test/fixtures/zone-walk.ts';

const crons = [
  '0 9 * * *',
  '30 2 * * *',
  '0 0 * * *',
  '15 1,2,3 * * *',
  '45 * * * SAT,SUN',
  '*/15 0-3 * * SUN',
  '0 2 1,15 * MON',
];
const from = Date.UTC(2025, 0, 1);
const to = Date.UTC(2027, 0, 1);

const schedule = (cron: string, timezone: string) => ({ cron: parseCron(cron), timezone });
const due = (cron: string, timezone: string, after: string, until: string) =>
  dueSlots(schedule(cron, timezone), Date.parse(after), Date.parse(until)).map((at) => new Date(at).toISOString());

describe.each(zones)('in %s, over 24 months', (timezone) => {
  const clock = walk(timezone, from, to);

  test.each(crons)('%s is due when the clock on the wall says so', (cron) => {
    const expected = slotsByWatching(parseCron(cron), clock).filter((at) => at > from);
    expect(expected.length).toBeGreaterThan(40);
    expect(dueSlots(schedule(cron, timezone), from, to - 1)).toEqual(expected);
  });

  test('asked in pieces of any size, it gives each slot exactly once', () => {
    const few = crons.filter((_, index) => index !== 3 && index !== 4);
    const whole = few.map((cron) => dueSlots(schedule(cron, timezone), from, to));
    const cuts = fc.array(fc.integer({ min: from, max: to }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(cuts, fc.nat(few.length - 1), (at, which) => {
        const points = [from, ...at.toSorted((a, b) => a - b), to];
        const pieces = points
          .slice(1)
          .flatMap((end, index) => dueSlots(schedule(few[which] ?? '', timezone), points[index] ?? 0, end));
        expect(pieces).toEqual(whole[which]);
      }),
      { numRuns: 3 },
    );
  });
});

describe('daylight saving', () => {
  test('a skipped local time runs once, at the end of the gap', () => {
    expect(due('30 2 * * *', 'Europe/Berlin', '2026-03-28T12:00Z', '2026-03-30T12:00Z')).toEqual([
      '2026-03-29T01:00:00.000Z',
      '2026-03-30T00:30:00.000Z',
    ]);
    // Three skipped times and the one after the gap are one slot.
    expect(due('0,15,30 2,3 * * *', 'Europe/Berlin', '2026-03-28T12:00Z', '2026-03-29T01:10Z')).toEqual([
      '2026-03-29T01:00:00.000Z',
    ]);
  });

  test('a repeated local time runs once, the first time', () => {
    expect(due('30 2 * * *', 'Europe/Berlin', '2026-10-24T12:00Z', '2026-10-25T12:00Z')).toEqual([
      '2026-10-25T00:30:00.000Z',
    ]);
  });

  test('a schedule for every hour counts hours and has no hole', () => {
    const slots = dueSlots(
      schedule('0 * * * *', 'Europe/Berlin'),
      Date.parse('2026-10-24T12:00Z'),
      Date.parse('2026-10-25T12:00Z'),
    );
    expect(slots.slice(1).map((at, index) => at - (slots[index] ?? 0))).toEqual(Array(23).fill(3_600_000));
  });

  test('a date that the zone left out runs when the next begins', () => {
    expect(due('0 9 * * *', 'Pacific/Apia', '2011-12-29T22:00Z', '2011-12-31T00:00Z')).toEqual([
      '2011-12-30T10:00:00.000Z',
      '2011-12-30T19:00:00.000Z',
    ]);
  });
});

describe('the next slot', () => {
  test('is the first one after', () => {
    const nine = schedule('0 9 * * *', 'Europe/Berlin');
    expect(new Date(nextSlot(nine, Date.parse('2026-08-01T07:00Z')) ?? 0).toISOString()).toBe(
      '2026-08-02T07:00:00.000Z',
    );
    expect(periodAfter(nine, Date.parse('2026-03-28T08:00Z'))).toBe(23 * 3_600_000);
  });
  test('of a leap day is years away, of none is none', () => {
    expect(new Date(nextSlot(schedule('0 0 29 2 *', 'UTC'), Date.parse('2096-03-01T00:00Z')) ?? 0).toISOString()).toBe(
      '2104-02-29T00:00:00.000Z',
    );
  });
});

describe('cron lines', () => {
  test.each([
    ['5 4 * * sun', { minutes: [5], hours: [4], weekdays: new Set([0]), either: false }],
    ['0 22 * * 1-5', { hours: [22], weekdays: new Set([1, 2, 3, 4, 5]) }],
    ['23 0-20/2 * * *', { hours: [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20] }],
    ['0 0 1 JAN,jul 7', { months: new Set([1, 7]), weekdays: new Set([0]), either: true }],
    ['50/5 * * * *', { minutes: [50, 55] }],
  ])('%s is read', (text, expected) => expect(parseCron(text)).toMatchObject(expected));

  test.each([
    '',
    '* * * *',
    '* * * * * *',
    '60 * * * *',
    '* 24 * * *',
    '* * 0 * *',
    '* * * 13 *',
    '* * * * 8',
    '*/0 * * * *',
    '5-1 * * * *',
    'a * * * *',
    '1,,2 * * * *',
    '0 0 30 2 *',
    '0 0 31 4,6 *',
    '-1 * * * *',
    '1-2-3 * * * *',
  ])('%j is refused', (text) => expect(() => parseCron(text)).toThrow(/is not a schedule/));
});
