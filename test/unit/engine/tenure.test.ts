import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { OpsError } from '#domain/errors.ts';
import type { Tenure, TenureRecord } from '#domain/tenure.ts';
import { TenureKeeper } from '#engine/tenure.ts';
import { openStorage, type Storage } from '#storage/open.ts';
import { FakeClock } from '#test/fakes/clock.ts';
import { FakeLog } from '#test/fakes/log.ts';

/** One account that every copy writes to. */
class FakeTenureRecord implements TenureRecord {
  value: Tenure | undefined;
  writes = 0;
  error: OpsError | undefined;

  async read(): Promise<Tenure | undefined> {
    await Promise.resolve();
    if (this.error) throw this.error;
    return this.value;
  }

  async write(tenure: Tenure): Promise<void> {
    await Promise.resolve();
    this.writes += 1;
    this.value = tenure;
  }
}

const minuteMs = 60_000;
let clock: FakeClock;
let record: FakeTenureRecord;
let stores: Storage[];
beforeEach(() => {
  clock = new FakeClock();
  record = new FakeTenureRecord();
  stores = [];
});
afterEach(() => stores.forEach((store) => store[Symbol.dispose]()));
const store = (): Storage => {
  const opened = openStorage({ file: ':memory:' });
  stores.push(opened);
  return opened;
};
const copy = (holder: string, { ledger }: Storage): TenureKeeper =>
  new TenureKeeper({ record, ledger, clock, log: new FakeLog(), holder, host: `host of ${holder}` });

describe('A6 one copy acts', () => {
  test('A6: each start takes the next epoch, also after its memory was lost', async () => {
    const memory = store();
    expect(await copy('a', memory).once()).toBeUndefined();
    expect(await copy('b', memory).once()).toBeUndefined();
    expect(await copy('c', store()).once()).toBeUndefined();
    expect(record.value).toMatchObject({ epoch: 3, holder: 'c' });
  });

  test('A6: the older one stops, and says where the other is; the newer one stays', async () => {
    const older = copy('old', store());
    const newer = copy('new', store());
    await older.once();
    await newer.once();
    expect(await older.once()).toMatchObject({
      kind: 'held',
      message: 'Another copy of this bot took over on host of new; this one stops.',
    });
    expect(await newer.once()).toBeUndefined();
  });

  test('A6: the older one stops, also when its memory takes no note of it', async () => {
    const memory = store();
    const older = copy('old', memory);
    await older.once();
    await copy('new', store()).once();
    memory[Symbol.dispose]();
    expect(await older.once()).toMatchObject({ kind: 'held' });
  });

  test('A6: the older one is out within a minute', async () => {
    const older = copy('old', store());
    const stop = new AbortController();
    const ended = older.run(stop.signal);
    await clock.advance(5000);
    await copy('new', store()).once();
    await clock.advance(40_000);
    await expect(ended).resolves.toMatchObject({ kind: 'held' });
  });

  test('A6: both at the same moment: exactly one stays', async () => {
    const [one, two] = [copy('one', store()), copy('two', store())];
    await Promise.all([one.once(), two.once()]);
    const ends = await Promise.all([one.once(), two.once()]);
    expect(ends.filter((end) => end === undefined)).toHaveLength(1);
    expect(record.value?.epoch).toBe(1);
  });

  test('A6: whoever lost and is started again by its machine stays out while the other is there', async () => {
    const memory = store();
    const older = copy('old', memory);
    const newer = copy('new', store());
    await older.once();
    await newer.once();
    await older.once();
    expect(await copy('old again', memory).once()).toMatchObject({ kind: 'held' });
    for (let n = 0; n < 4; n += 1) {
      await clock.advance(6 * minuteMs);
      expect(await newer.once()).toBeUndefined();
    }
    expect(await copy('old again', memory).once()).toMatchObject({ kind: 'held' });
    await clock.advance(20 * minuteMs);
    expect(await copy('old at last', memory).once()).toBeUndefined();
  });

  test('a record that vanished, or was put back from a backup, is written again', async () => {
    const keeper = copy('a', store());
    await keeper.once();
    record.value = undefined;
    expect(await keeper.once()).toBeUndefined();
    record.value = { epoch: 0, holder: 'long ago', host: 'x', at: 0 };
    expect(await keeper.once()).toBeUndefined();
    expect(record.value).toMatchObject({ holder: 'a' });
  });

  test('a homeserver that is away is no reason to stop, and it writes seldom', async () => {
    const stop = new AbortController();
    const running = copy('a', store()).run(stop.signal);
    await clock.advance(20 * minuteMs);
    expect(record.writes).toBeLessThan(6);
    record.error = new OpsError('unavailable', 'down');
    await clock.advance(60 * minuteMs);
    record.error = undefined;
    await clock.advance(minuteMs);
    stop.abort();
    expect(await running).toBeUndefined();
    expect(record.value?.holder).toBe('a');
  });
});
