import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { OpsError } from '#domain/errors.ts';
import type { FallbackWay } from '#domain/fallback.ts';
import { Fallback } from '#engine/fallback.ts';
import { FakeFallbackWay } from '#test/fakes/fallback-way.ts';
import { FakeLog } from '#test/fakes/log.ts';
import { AlertDesk, room, textOf, user } from '#test/fixtures/alert-desk.ts';

const signal = new AbortController().signal;
let desk: AlertDesk;
let way: FakeFallbackWay;
let reachable: boolean;
let fallback: Fallback;
const open = (...ways: FallbackWay[]): Fallback =>
  new Fallback({
    ledger: desk.storage.ledger,
    ways,
    clock: desk.clock,
    log: new FakeLog(),
    bot: { opsRoom: room, site: 'main', timezone: 'UTC' },
    textOf,
    patienceMs: 60_000,
    reachable: () => reachable,
  });
beforeEach(() => {
  desk = new AlertDesk();
  way = new FakeFallbackWay();
  reachable = false;
  fallback = open(way);
});
afterEach(() => desk[Symbol.dispose]());

/** The homeserver is away: everything is tried in vain, each second. */
const away = async (ms: number): Promise<void> => {
  const { ledger } = desk.storage;
  for (let passed = 0; passed < ms; passed += 1000) {
    for (const row of ledger.dueOutbox(desk.clock.now(), 100)) {
      ledger.noteAttempt(row.id, desk.clock.now());
      ledger.settleOutbox(row.id, 'pending', { error: 'down', dueAt: desk.clock.now() + 1000 });
    }
    await desk.clock.advance(1000);
    desk.alerter.tick();
    await fallback.once(signal);
  }
};
const resolve = (): void => desk.fire({ firing: false });

describe('B8 pages while the room cannot be reached', () => {
  test('B8: within 2 min of the first try that failed, once, with who is called', async () => {
    desk.fire({});
    await away(59_000);
    expect(way.told).toEqual([]);
    await away(50_000);
    expect(way.told).toHaveLength(1);
    expect(way.told[0]).toMatchObject({ users: [user('bob')], incidents: ['a1'] });
    expect(way.told[0]?.title).toContain('SynapseDown');
    expect(desk.storage.ledger.incidentLog(1).map(({ what }) => what)).toContainEqual(
      expect.stringContaining('paged by pager'),
    );
  });

  test('B8: a page that is never tried, because all waits for the homeserver, counts from when it was due', async () => {
    desk.fire({});
    await desk.clock.advance(61_000);
    await fallback.once(signal);
    expect(way.told).toHaveLength(1);
  });

  test('B8: what reached the room goes no other way', async () => {
    desk.fire({});
    desk.deliver();
    await away(240_000);
    expect(way.told).toEqual([]);
  });

  test('B8: each escalation goes out too, to whom it is for', async () => {
    desk.fire({});
    await away(7 * 60_000);
    expect(way.told.map(({ users }) => users)).toEqual([[user('bob')], expect.arrayContaining([user('alice')])]);
  });

  test('B8: a flood is one notice', async () => {
    desk.fire(...Array.from({ length: 60 }, (_, n) => ({ name: `Down${n}`, key: `k${n}`, group: `g${n}` })));
    await away(110_000);
    expect(way.told.length).toBeGreaterThan(0);
    expect(way.told.length).toBeLessThan(5);
  });

  test('B8: a way that fails is tried again, backing off; the next one is asked meanwhile', async () => {
    way.error = new OpsError('unavailable', 'down');
    desk.fire({});
    await away(4 * 60_000);
    expect(way.tries).toBeGreaterThan(2);
    expect(way.tries).toBeLessThan(12);
    way.error = undefined;
    await away(61_000);
    expect(way.told).toHaveLength(1);
    const second = new FakeFallbackWay('second');
    way.error = new OpsError('misconfigured', 'refused');
    fallback = open(way, second);
    desk.fire({ name: 'Other', key: 'other', group: 'other' });
    await away(90_000);
    expect(second.told.flatMap(({ incidents }) => incidents)).toContain('a2');
    expect(way.told).toHaveLength(1);
  });

  test('B8: told once, even when the memory can take no note of it', async () => {
    desk.fire({});
    const { ledger } = desk.storage;
    const note = ledger.noteFallback;
    ledger.noteFallback = () => {
      throw new OpsError('unavailable', 'full');
    };
    await desk.clock.advance(61_000);
    await expect(fallback.once(signal)).rejects.toThrow('full');
    await fallback.once(signal);
    expect(way.told).toHaveLength(1);
    ledger.noteFallback = note;
  });
});

describe('B8 the room hears of it later', () => {
  test('B8: over before the room heard of it: summarised, and nobody is rung', async () => {
    desk.fire({});
    await away(40 * 60_000);
    resolve();
    await away(5000);
    expect(desk.storage.ledger.missedPages().length).toBeGreaterThan(0);
    reachable = true;
    await desk.clock.advance(60_000);
    await fallback.once(signal);
    const said = desk.deliver();
    expect(said.filter(({ rings }) => rings)).toEqual([]);
    const summary = said.filter(({ text }) => text.includes('could not be reached'));
    expect(summary).toHaveLength(1);
    expect(summary[0]?.text).toMatch(
      /a1.*SynapseDown is not well, since 09:00.*sent another way 09:01.*resolved 09:40/,
    );
    await fallback.once(signal);
    expect(desk.deliver()).toEqual([]);
  });

  test('answered while its page is on the way: nothing was missed', async () => {
    const { ledger } = desk.storage;
    desk.fire({});
    const [page] = ledger.dueOutbox(desk.clock.now(), 10).filter(({ lane }) => lane.startsWith('page:'));
    ledger.noteAttempt(page!.id, desk.clock.now());
    resolve();
    expect(ledger.missedPages()).toHaveLength(1);
    reachable = true;
    await fallback.once(signal);
    expect(desk.deliver().filter(({ text }) => text.includes('could not be reached'))).toEqual([]);
    ledger.settleOutbox(page!.id, 'sent', { eventId: '$page' });
    expect(ledger.missedPages()).toEqual([]);
  });

  test('B8: still firing: the page rings when the room is back', async () => {
    desk.fire({});
    await away(3 * 60_000);
    reachable = true;
    await desk.clock.advance(1000);
    await fallback.once(signal);
    expect(desk.deliver().filter(({ rings }) => rings)).toHaveLength(1);
  });

  test('B8: without another way the room is told all the same', async () => {
    fallback = open();
    desk.fire({});
    await away(10 * 60_000);
    resolve();
    reachable = true;
    await desk.clock.advance(2000);
    await fallback.once(signal);
    expect(desk.deliver().some(({ text }) => text.includes('a page was answered or over before it heard of it'))).toBe(
      true,
    );
  });
});
