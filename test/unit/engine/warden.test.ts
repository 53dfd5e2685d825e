import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { OpsError } from '#domain/errors.ts';
import { Switchboard } from '#engine/switchboard.ts';
import { Takings } from '#engine/takings.ts';
import { Warden } from '#engine/warden.ts';
import { openStorage, type Storage } from '#storage/open.ts';
import { FakeCallServer } from '#test/fakes/calls.ts';
import { FakeClock } from '#test/fakes/clock.ts';
import { idOf } from '#test/fakes/house.ts';
import { FakeLog } from '#test/fakes/log.ts';

const mallory = idOf('mallory');
const minuteMs = 60_000;
let storage: Storage;
let clock: FakeClock;
let calls: FakeCallServer;
let takings: Takings;
let warden: Warden;
beforeEach(() => {
  storage = openStorage({ file: ':memory:' });
  clock = new FakeClock();
  calls = new FakeCallServer(clock);
  takings = new Takings(storage.ledger, clock, 'default');
  warden = new Warden({ calls, takings, clock, log: new FakeLog() });
});
afterEach(() => storage[Symbol.dispose]());

const ban = (user = mallory, forMs = 120 * minuteMs): void =>
  takings.hold({
    site: 'default',
    user,
    kind: 'call-ban',
    identities: [],
    until: clock.now() + forMs,
    run: 1,
    endedAt: undefined,
  });
const inside = async (room = 'call'): Promise<string[]> =>
  (await calls.participants(room)).map(({ identity }) => identity);

describe('who is banned from calls', () => {
  test('is thrown out of every call, again and again; others stay', async () => {
    ban();
    for (const room of ['one', 'two']) for (const who of ['mallory', 'bob']) calls.join(room, `@${who}:example.org:D1`);
    calls.join('one', '@mallory:example.org:D2');
    calls.join('one', '@mallory2:example.org:D1');
    expect(await warden.sweep()).toBe(3);
    expect(await inside('one')).toEqual(['@bob:example.org:D1', '@mallory2:example.org:D1']);
    expect(await inside('two')).toEqual(['@bob:example.org:D1']);
    calls.join('two', '@mallory:example.org:D1');
    expect(await warden.sweep()).toBe(1);
  });

  test('the loop looks every 400 ms, for 10 rejoins', async () => {
    ban();
    const stop = new AbortController();
    const loop = warden.run(stop.signal);
    for (let rejoin = 0; rejoin < 10; rejoin += 1) {
      calls.join('call', '@mallory:example.org:D1');
      await clock.advance(800);
      expect(await inside()).toEqual([]);
    }
    stop.abort();
    await clock.advance(0);
    await loop;
  });

  test('with nobody banned it asks nothing', async () => {
    const stop = new AbortController();
    const loop = warden.run(stop.signal);
    await clock.advance(10_000);
    expect(calls.faults.calls).toEqual([]);
    stop.abort();
    await loop;
  });

  test('the ban ends by itself, but not within 12 minutes of a rejoin', async () => {
    ban(mallory, 5 * minuteMs);
    calls.join('call', '@mallory:example.org:D1');
    await warden.sweep();
    await clock.advance(11 * minuteMs);
    expect(takings.held()).toHaveLength(1);
    await clock.advance(2 * minuteMs);
    expect(takings.held()).toEqual([]);
  });

  test('a call server that is down is asked again, and told of once a look', async () => {
    ban();
    calls.join('call', '@mallory:example.org:D1');
    calls.faults.fail('rooms', new OpsError('unavailable', 'LiveKit does not answer.'), { times: 2 });
    const stop = new AbortController();
    const loop = warden.run(stop.signal);
    await clock.advance(5000);
    expect(await inside()).toEqual([]);
    stop.abort();
    await loop;
  });

  test('who is released while a sweep is at them stays released', async () => {
    ban(mallory, minuteMs);
    calls.join('call', '@mallory:example.org:D1');
    const sweep = warden.sweep();
    takings.release(mallory);
    await sweep;
    expect(takings.held()).toEqual([]);
  });

  test('two sweeps at once are one', async () => {
    ban();
    calls.join('call', '@mallory:example.org:D1');
    expect(await Promise.all([warden.sweep(), warden.sweep()])).toEqual([1, 1]);
    expect(calls.faults.count('remove')).toBe(1);
  });
});

describe('what was taken', () => {
  const taken = (run: number, at: number, rooms: string[]) => ({
    site: 'default',
    user: mallory,
    run,
    at,
    snapshot: { rooms },
    returnedAt: undefined,
  });

  test('is remembered until it is given back, all of it', () => {
    takings.remember(taken(1, 1, ['a']));
    takings.remember(taken(2, 2, ['a', 'b']));
    expect(takings.find(mallory)).toMatchObject({ run: 2, snapshot: { rooms: ['a', 'b'] } });
    takings.returned(mallory);
    expect(takings.find(mallory)).toBeUndefined();
    takings.returned(mallory);
    takings.remember(taken(3, 3, []));
    expect(takings.find(mallory)).toMatchObject({ run: 3 });
  });

  test('of another site is another matter', () => {
    takings.remember({ ...taken(1, 1, []), site: 'staging' });
    takings.hold({
      site: 'staging',
      user: mallory,
      kind: 'call-ban',
      identities: [],
      until: clock.now() + 1000,
      run: 1,
      endedAt: undefined,
    });
    expect(takings.find(mallory)).toBeUndefined();
    expect(takings.held()).toEqual([]);
  });

  test('releasing one leaves the others held', () => {
    ban();
    ban(idOf('bert'));
    takings.release(mallory);
    expect(takings.held().map(({ user }) => user)).toEqual([idOf('bert')]);
  });
});

test('the pause outlives whoever set it', () => {
  const pause = { by: idOf('bob'), reason: 'moving', since: 5 };
  new Switchboard(storage.ledger, clock).setPaused(pause);
  const again = new Switchboard(storage.ledger, clock);
  expect(again.paused()).toEqual(pause);
  again.setPaused(undefined);
  expect(again.paused()).toBeUndefined();
});
