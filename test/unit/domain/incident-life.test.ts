import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { UserId } from '#domain/accounts.ts';
import {
  beginIncident,
  continues,
  type LifeEvent,
  type LifeRules,
  live,
  pages,
  wakesAt,
} from '#domain/incident-life.ts';
import type { Incident, Severity, Signal } from '#domain/incidents.ts';

const bob = '@bob:example.org' as UserId;
const rules: LifeRules = { reopenMs: 600_000, firstPageAfterMs: 0 };
const start = 1_800_000_000_000;
const signal = (set: Partial<Signal> = {}): Signal => ({
  site: 'main',
  source: 'alertmanager',
  key: 'k',
  group: 'g',
  firing: true,
  severity: 'critical',
  name: 'SynapseDown',
  title: 'Synapse does not answer',
  labels: {},
  startedAt: start - 30_000,
  ...set,
});
const step = (incident: Incident, event: LifeEvent, now: number): Incident =>
  live(incident, event, now, rules)?.incident ?? incident;
const fire = (incident: Incident, now: number, set: Partial<Signal> = {}): Incident =>
  step(incident, { kind: 'signal', signal: signal(set) }, now);

describe('the life of an incident', () => {
  const open = beginIncident(signal(), 17, start, rules);

  it('begins open, due at once when critical, never when a warning', () => {
    expect(open).toMatchObject({
      state: 'open',
      nextAt: start,
      level: 0,
      openedAt: start - 30_000,
      unsaid: true,
      rev: 1,
    });
    expect(beginIncident(signal({ severity: 'warning' }), 1, start, rules).nextAt).toBeUndefined();
  });

  it('does not believe a start in the future or in year 1', () => {
    for (const startedAt of [start + 5000, Date.parse('0001-01-01T00:00:00Z')]) {
      expect(beginIncident(signal({ startedAt }), 1, start, rules).openedAt).toBe(start);
    }
  });

  it('the same alert again changes nothing', () => {
    expect(live(open, { kind: 'signal', signal: signal() }, start + 1000, rules)).toBeUndefined();
    const later = live(open, { kind: 'signal', signal: signal() }, start + 60_000, rules);
    expect(later).toEqual({ incident: { ...open, seenAt: start + 60_000 }, said: undefined });
  });

  it('a warning that becomes critical pages', () => {
    const warning = beginIncident(signal({ severity: 'warning' }), 1, start, rules);
    expect(fire(warning, start + 5000)).toMatchObject({ severity: 'critical', nextAt: start + 5000 });
    expect(fire(open, start + 5000, { severity: 'warning' }).nextAt).toBeUndefined();
  });

  it('an acknowledgement stops the paging, and pages again when it leads to nothing', () => {
    const paged = step(open, { kind: 'paged', level: 1, nextAt: start + 300_000 }, start);
    const acked = step(paged, { kind: 'ack', by: bob, until: start + 3_600_000 }, start + 10_000);
    expect(acked).toMatchObject({ state: 'acked', ackedBy: bob, nextAt: undefined });
    expect(live(acked, { kind: 'paged', level: 2, nextAt: 0 }, start, rules)).toBeUndefined();
    expect(live(acked, { kind: 'time' }, start + 3_599_999, rules)).toBeUndefined();
    expect(step(acked, { kind: 'time' }, start + 3_600_000)).toMatchObject({
      state: 'open',
      level: 0,
      nextAt: start + 3_600_000,
      ackedBy: bob,
      ackedUntil: undefined,
    });
  });

  it('resolved, and back within ten minutes: the same incident, still acknowledged if it was', () => {
    const closed = fire(open, start + 1000, { firing: false });
    expect(closed).toMatchObject({ state: 'closed', closedAt: start + 1000, nextAt: undefined });
    expect(live(closed, { kind: 'signal', signal: signal({ firing: false }) }, start + 2000, rules)).toBeUndefined();
    expect(continues(closed, start + 601_000, rules)).toBe(true);
    expect(continues(closed, start + 601_001, rules)).toBe(false);
    expect(fire(closed, start + 5000)).toMatchObject({
      state: 'open',
      reopened: 1,
      nextAt: start + 5000,
      closedAt: undefined,
    });
    const acked = step(open, { kind: 'ack', by: bob, until: start + 3_600_000 }, start);
    const back = fire(fire(acked, start + 1000, { firing: false }), start + 5000);
    expect(back).toMatchObject({ state: 'acked', reopened: 1, ackedBy: bob, nextAt: undefined });
  });

  it('what is resolved takes no acknowledgement', () => {
    const closed = fire(open, start, { firing: false });
    for (const event of [{ kind: 'ack', by: bob, until: 1 }, { kind: 'ring' }, { kind: 'time' }] as LifeEvent[]) {
      expect(live(closed, event, start, rules)).toBeUndefined();
    }
  });

  it('a silence ends and pages', () => {
    const silent = step(open, { kind: 'silence', by: bob, until: start + 60_000 }, start);
    expect(silent).toMatchObject({ state: 'silenced', nextAt: undefined });
    expect(step(silent, { kind: 'time' }, start + 60_000)).toMatchObject({ state: 'open', nextAt: start + 60_000 });
  });
});

describe('whatever happens', () => {
  const severities: Severity[] = ['critical', 'warning', 'info'];
  const event = fc.oneof(
    fc.record({ kind: fc.constant('signal' as const), firing: fc.boolean(), severity: fc.constantFrom(...severities) }),
    fc.record({ kind: fc.constantFrom('ack' as const, 'silence' as const), forMs: fc.integer({ min: 1, max: 1e6 }) }),
    fc.constant({ kind: 'page' as const }),
    fc.constant({ kind: 'ring' as const }),
    fc.constant({ kind: 'time' as const }),
  );
  const history = fc.array(fc.tuple(fc.nat(400_000), event), { maxLength: 40 });

  function play(
    past: Array<[number, typeof event extends fc.Arbitrary<infer T> ? T : never]>,
    see: (i: Incident, now: number) => void,
  ) {
    let now = start;
    let incident = beginIncident(signal(), 1, now, rules);
    see(incident, now);
    for (const [wait, what] of past) {
      now += wait;
      // What a tick does first: time passes, then what is due is paged.
      incident = step(incident, { kind: 'time' }, now);
      if (what.kind === 'signal') incident = fire(incident, now, { firing: what.firing, severity: what.severity });
      else if (what.kind === 'ack' || what.kind === 'silence') {
        incident = step(incident, { kind: what.kind, by: bob, until: now + what.forMs }, now);
      } else if (what.kind === 'page') {
        if (incident.nextAt !== undefined && incident.nextAt <= now) {
          incident = step(incident, { kind: 'paged', level: incident.level + 1, nextAt: now + 300_000 }, now);
        }
      } else incident = step(incident, { kind: what.kind }, now);
      see(incident, now);
    }
  }

  it('an open critical incident has a next step, is acknowledged or silenced until a time', () => {
    fc.assert(
      fc.property(history, (past) => {
        play(past, (incident) => {
          if (incident.state === 'closed') {
            expect(incident.nextAt).toBeUndefined();
            expect(incident.closedAt).toBeDefined();
            return;
          }
          expect(incident.closedAt).toBeUndefined();
          if (incident.state === 'acked') {
            expect(incident.ackedUntil).toBeDefined();
            expect(incident.ackedBy).toBeDefined();
          }
          if (incident.state === 'silenced') expect(incident.silencedUntil).toBeDefined();
          if (incident.state === 'acked' || incident.state === 'silenced') expect(incident.nextAt).toBeUndefined();
          else expect(incident.nextAt !== undefined).toBe(pages(incident.severity));
          if (pages(incident.severity)) expect(wakesAt(incident)).toBeDefined();
        });
      }),
      { numRuns: 3000 },
    );
  });

  it('every state is reached but stale, which only a watch over silent sources brings', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(history, (past) => {
        play(past, (incident) => seen.add(incident.state));
      }),
      { numRuns: 500, seed: 7 },
    );
    expect([...seen].toSorted()).toEqual(['acked', 'closed', 'open', 'paged', 'silenced']);
  });

  it('nothing changes twice by the same event at the same time', () => {
    fc.assert(
      fc.property(history, (past) => {
        play(past, (incident, now) => {
          const once = step(incident, { kind: 'time' }, now);
          expect(step(once, { kind: 'time' }, now)).toEqual(once);
          const closed = fire(incident, now, { firing: false });
          expect(fire(closed, now, { firing: false })).toEqual(closed);
        });
      }),
    );
  });
});
