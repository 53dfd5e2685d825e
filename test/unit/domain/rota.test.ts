import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { UserId } from '#domain/accounts.ts';
import { comingHandoffs, type Layer, layersOf, onDutyAt, type Override, parseHandoff } from '#domain/rota.ts';

const [alice, bob, carol] = ['@alice:example.org', '@bob:example.org', '@carol:example.org'] as UserId[] as [
  UserId,
  UserId,
  UserId,
];
const at = (text: string): number => Date.parse(text);
const weekly = (set: Partial<Layer> = {}): Layer => ({
  name: 'primary',
  rotation: 'weekly',
  handoff: { weekday: 1, hour: 9, minute: 0 },
  timezone: 'Europe/Berlin',
  people: [alice, bob],
  ...set,
});

// Half-hour DST, 45-minute offsets, DST the other way round (Casablanca), midnight DST, none, and both hemispheres.
const zones = [
  'Europe/Berlin',
  'Europe/London',
  'America/New_York',
  'America/Santiago',
  'America/Sao_Paulo',
  'Africa/Casablanca',
  'Africa/Cairo',
  'Asia/Kathmandu',
  'Asia/Tokyo',
  'Australia/Lord_Howe',
  'Pacific/Auckland',
  'UTC',
];

describe('hand-offs', () => {
  it('reads times', () => {
    expect(parseHandoff('Mon 09:00')).toEqual({ weekday: 1, hour: 9, minute: 0 });
    expect(parseHandoff('sun 23:59')).toEqual({ weekday: 7, hour: 23, minute: 59 });
    expect(parseHandoff('08:30')).toEqual({ weekday: undefined, hour: 8, minute: 30 });
    for (const wrong of ['Mon', 'Xyz 09:00', '24:00', '9:60', '']) expect(parseHandoff(wrong)).toBeUndefined();
    expect(() => layersOf([{ ...weekly(), handoff: 'Noon' }], 'UTC')).toThrow(/hand-off "Noon"/);
    expect(layersOf([{ ...weekly(), handoff: 'Tue 10:00', timezone: undefined }], 'Asia/Tokyo')[0]?.timezone).toBe(
      'Asia/Tokyo',
    );
  });

  // Reckoned by hand from the calendar: Berlin is +01:00 in winter, +02:00 in summer (29 March to 25 October
  // 2026). 16 March is the 115th Monday after 1 January 2024: the second of two.
  it.each([
    ['2026-03-23T07:59:59Z', bob, '2026-03-23T08:00:00Z'],
    ['2026-03-23T08:00:00Z', alice, '2026-03-30T07:00:00Z'],
    ['2026-03-30T06:59:59Z', alice, '2026-03-30T07:00:00Z'],
    ['2026-03-30T07:00:00Z', bob, '2026-04-06T07:00:00Z'],
    ['2026-10-19T07:00:00Z', alice, '2026-10-26T08:00:00Z'],
    ['2026-10-26T08:00:00Z', bob, '2026-11-02T08:00:00Z'],
  ])('weekly in Berlin at %s', (now, user, until) => {
    const duty = onDutyAt(weekly(), [], at(now));
    expect(duty).toMatchObject({ user, until: at(until) });
    expect(duty?.next).toBe(user === alice ? bob : alice);
  });

  it('a hand-off in the skipped hour comes after it, one in the doubled hour the first time', () => {
    const nightly = weekly({ rotation: 'daily', handoff: { weekday: undefined, hour: 2, minute: 30 } });
    const handoffs = (from: string, count: number): string[] =>
      comingHandoffs([nightly], [], at(from), count).map((turn) => new Date(turn.from).toISOString());
    expect(handoffs('2026-03-28T12:00:00Z', 2)).toEqual(['2026-03-29T01:30:00.000Z', '2026-03-30T00:30:00.000Z']);
    expect(handoffs('2026-10-24T12:00:00Z', 2)).toEqual(['2026-10-25T00:30:00.000Z', '2026-10-26T01:30:00.000Z']);
  });

  it('half-hour DST moves the hand-off by half an hour', () => {
    const howe = weekly({ timezone: 'Australia/Lord_Howe' });
    // +10:30 until 4 October 2026, 02:00; then +11:00.
    expect(onDutyAt(howe, [], at('2026-09-30T00:00:00Z'))?.until).toBe(at('2026-10-04T22:00:00Z'));
    expect(onDutyAt(howe, [], at('2026-09-27T00:00:00Z'))?.until).toBe(at('2026-09-27T22:30:00Z'));
  });

  it('one person is on call always; no person, nobody', () => {
    expect(onDutyAt(weekly({ people: [alice] }), [], at('2026-05-01T00:00:00Z'))).toMatchObject({
      user: alice,
      until: at('2026-05-04T07:00:00Z'),
      next: undefined,
    });
    expect(onDutyAt(weekly({ people: [] }), [], 0)).toBeUndefined();
  });
});

describe('stand-ins', () => {
  const now = at('2026-05-06T12:00:00Z');
  const rota = weekly({ people: [alice, bob, carol] });
  const standIn = (user: UserId, from: string, until: string): Override => ({
    layer: 'primary',
    user,
    from: at(from),
    until: at(until),
  });

  it('stand in for their time, and the later one wins', () => {
    const planned = onDutyAt(rota, [], now)?.user as UserId;
    const [first, second] = [alice, bob, carol].filter((user) => user !== planned) as [UserId, UserId];
    const overrides = [
      standIn(first, '2026-05-06T10:00:00Z', '2026-05-06T20:00:00Z'),
      standIn(second, '2026-05-06T15:00:00Z', '2026-05-06T16:00:00Z'),
    ];
    expect(onDutyAt(rota, overrides, now)).toMatchObject({
      user: first,
      until: at('2026-05-06T15:00:00Z'),
      next: second,
    });
    expect(onDutyAt(rota, overrides, at('2026-05-06T15:30:00Z'))).toMatchObject({ user: second, next: first });
    expect(onDutyAt(rota, overrides, at('2026-05-06T20:00:00Z'))?.user).toBe(planned);
  });

  it('of ten weeks are not cut short by the turns beneath them', () => {
    const long = [standIn('@dora:example.org' as UserId, '2026-05-01T00:00:00Z', '2026-07-10T00:00:00Z')];
    expect(onDutyAt(rota, long, now)?.until).toBe(at('2026-07-10T00:00:00Z'));
  });
});

describe('over daylight saving, in 12 zones', () => {
  const layer = fc.record({
    timezone: fc.constantFrom(...zones),
    rotation: fc.constantFrom('weekly' as const, 'daily' as const),
    weekday: fc.integer({ min: 1, max: 7 }),
    hour: fc.integer({ min: 0, max: 23 }),
    minute: fc.constantFrom(0, 15, 30, 59),
    people: fc.constantFrom<UserId[]>([alice, bob], [alice, bob, carol]),
  });
  const build = (r: { weekday: number; hour: number; minute: number } & Omit<Layer, 'name' | 'handoff'>): Layer => ({
    name: 'primary',
    rotation: r.rotation,
    timezone: r.timezone,
    people: r.people,
    handoff: { weekday: r.rotation === 'weekly' ? r.weekday : undefined, hour: r.hour, minute: r.minute },
  });
  const instant = fc.integer({ min: at('2025-01-01T00:00:00Z'), max: at('2030-12-31T00:00:00Z') });

  it('turns follow each other without gap or overlap, in the order of the list', () => {
    fc.assert(
      fc.property(layer, instant, (r, now) => {
        const rota = build(r);
        const duty = onDutyAt(rota, [], now);
        expect(duty).toBeDefined();
        if (duty === undefined) return;
        expect(duty.until).toBeGreaterThan(now);
        const last = onDutyAt(rota, [], duty.until - 1);
        const next = onDutyAt(rota, [], duty.until);
        expect(last).toEqual(duty);
        expect(next?.user).toBe(duty.next);
        expect(next?.user).toBe(rota.people[(rota.people.indexOf(duty.user) + 1) % rota.people.length]);
        // A turn is as long as its rotation, give or take one change of the clocks.
        const length = (next?.until ?? 0) - duty.until;
        const days = rota.rotation === 'weekly' ? 7 : 1;
        expect(Math.abs(length - days * 86_400_000)).toBeLessThanOrEqual(3_600_000);
      }),
      { numRuns: 1500 },
    );
  });

  it('hand-offs stand at their local time, but for hours that the clocks skip', () => {
    fc.assert(
      fc.property(layer, instant, (r, now) => {
        const rota = build(r);
        const until = onDutyAt(rota, [], now)?.until ?? 0;
        const local = Temporal.Instant.fromEpochMilliseconds(until).toZonedDateTimeISO(rota.timezone);
        const written = local.toPlainDate().toPlainDateTime({ hour: r.hour, minute: r.minute });
        const skipped = written.toZonedDateTime(rota.timezone).toPlainDateTime().toString() !== written.toString();
        if (!skipped) expect([local.hour, local.minute]).toEqual([r.hour, r.minute]);
        if (rota.rotation === 'weekly' && !skipped) expect(local.dayOfWeek).toBe(r.weekday);
      }),
      { numRuns: 1000 },
    );
  });

  it('the coming hand-offs are those that happen', () => {
    fc.assert(
      fc.property(layer, instant, (r, now) => {
        const rota = build(r);
        let from = now;
        for (const turn of comingHandoffs([rota], [], now, 6)) {
          const duty = onDutyAt(rota, [], from);
          expect(duty?.until).toBe(turn.from);
          expect(onDutyAt(rota, [], turn.from)?.user).toBe(turn.user);
          from = turn.from;
        }
      }),
      { numRuns: 300 },
    );
  });

  it('every minute around each change of the clocks has exactly one person', () => {
    for (const timezone of zones) {
      const rota = weekly({ timezone, rotation: 'daily', handoff: { weekday: undefined, hour: 2, minute: 30 } });
      let change = Temporal.Instant.from('2026-01-01T00:00:00Z')
        .toZonedDateTimeISO(timezone)
        .getTimeZoneTransition('next');
      while (change !== null && change.year === 2026) {
        const middle = change.epochMilliseconds;
        let until = 0;
        for (let minute = middle - 3 * 3_600_000; minute <= middle + 3 * 3_600_000; minute += 60_000) {
          const duty = onDutyAt(rota, [], minute);
          expect(duty?.until ?? 0).toBeGreaterThan(minute);
          if (minute < until) expect(duty?.until).toBe(until);
          until = duty?.until ?? 0;
        }
        change = change.getTimeZoneTransition('next');
      }
    }
  });
});
