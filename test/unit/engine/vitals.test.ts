import { beforeEach, describe, expect, test } from 'vitest';
import { OpsError } from '#domain/errors.ts';
import type { Signal } from '#domain/incidents.ts';
import { Vitals } from '#engine/vitals.ts';
import { FakeClock } from '#test/fakes/clock.ts';
import { FakeLog } from '#test/fakes/log.ts';

let clock: FakeClock;
let well: { room: boolean; loop: boolean };
let signals: Signal[];
let shouts: string[];
let full: boolean;
let log: FakeLog;
let vitals: Vitals;
const open = (): Vitals =>
  new Vitals({
    site: 'main',
    clock,
    log,
    receive: (received) => {
      if (full) throw new OpsError('unavailable', 'full');
      signals.push(...received);
    },
    shout: (title) => shouts.push(title),
    vitals: [
      {
        part: 'room',
        look: () => (well.room ? { ready: true } : { ready: false, note: 'it is out' }),
        pages: { name: 'BotOutOfRoom', afterMs: 10_000 },
      },
      { part: 'event loop', look: () => ({ ready: well.loop }) },
    ],
  });
beforeEach(() => {
  clock = new FakeClock();
  well = { room: true, loop: true };
  signals = [];
  shouts = [];
  full = false;
  log = new FakeLog();
  vitals = open();
});
const pass = async (ms: number): Promise<void> => {
  for (let passed = 0; passed < ms; passed += 1000) {
    vitals.tick();
    await clock.advance(1000);
  }
};
const told = (): Array<[string, boolean]> => signals.map(({ name, firing }) => [name, firing]);

test('every part is told of, ready or why not', () => {
  well.room = false;
  expect(vitals.states()).toEqual([
    { part: 'room', ready: false, note: 'it is out' },
    { part: 'event loop', ready: true },
  ]);
});

describe('what stays unwell', () => {
  test('is an incident after its time, told once, and closed when it is over', async () => {
    await pass(3000);
    well.room = false;
    await pass(9000);
    expect(told()).toEqual([['BotOutOfRoom', false]]);
    await pass(60_000);
    expect(told()).toEqual([
      ['BotOutOfRoom', false],
      ['BotOutOfRoom', true],
    ]);
    expect(signals[1]).toMatchObject({ severity: 'critical', key: 'bot:room', title: 'The bot: it is out' });
    well.room = true;
    await pass(3000);
    expect(told().at(-1)).toEqual(['BotOutOfRoom', false]);
    expect(signals).toHaveLength(3);
  });

  test('a hiccup is none', async () => {
    for (let n = 0; n < 10; n += 1) {
      well.room = false;
      await pass(5000);
      well.room = true;
      await pass(1000);
    }
    expect(told().filter(([, firing]) => firing)).toEqual([]);
  });

  test('not ready yet after a start is no error in the log; unready it is, and it pages if it stays so', async () => {
    let state: { ready: boolean; note?: string; starting?: boolean } = {
      ready: false,
      note: 'no answer',
      starting: true,
    };
    const pages = { name: 'NoSync', afterMs: 10_000 };
    vitals = new Vitals({
      site: 'main',
      clock,
      log,
      receive: (received) => signals.push(...received),
      shout: (title) => shouts.push(title),
      vitals: [{ part: 'sync', look: () => state, pages }],
    });
    expect(vitals.states()).toEqual([{ part: 'sync', ready: false, note: 'no answer' }]);
    await pass(2000);
    state = { ready: true };
    await pass(2000);
    expect(log.entries).toEqual([]);
    state = { ready: false, note: 'down' };
    await pass(2000);
    expect(log.messages('error')).toEqual(['a part of the bot is not well']);
    state = { ready: true };
    await pass(2000);
    expect(log.messages('info')).toEqual(['a part of the bot is well again']);
    state = { ready: false, note: 'no answer', starting: true };
    await pass(12_000);
    expect(told().at(-1)).toEqual(['NoSync', true]);
  });

  test('what an earlier start opened is closed by the next one, or goes on', async () => {
    well.room = false;
    await pass(11_000);
    vitals = open();
    await pass(11_000);
    expect(told().map(([, firing]) => firing)).toEqual([true, true]);
    well.room = true;
    vitals = open();
    await pass(1000);
    expect(told().at(-1)).toEqual(['BotOutOfRoom', false]);
  });

  test('cannot be stored: shouted, at most every quarter of an hour, and stored as soon as it can be', async () => {
    await pass(1000);
    full = true;
    well.room = false;
    await pass(20 * 60_000);
    expect(shouts).toEqual(['The bot: it is out', 'The bot: it is out']);
    full = false;
    await pass(1000);
    expect(told().at(-1)).toEqual(['BotOutOfRoom', true]);
  });
});
