import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, type TestContext } from 'vitest';
import { verifyAudit } from '#domain/audit.ts';
import type { NewInboxItem } from '#domain/inbox.ts';
import { openStorage, type Storage } from '#storage/open.ts';
import { idOf } from '#test/fakes/house.ts';
import { row } from '#test/fixtures/outbox-rows.ts';
import { inboxItem } from '#test/fixtures/inbox-items.ts';
import { SmallDisk } from '#test/fixtures/small-disk.ts';
import { someRun } from '#test/fixtures/some-run.ts';

const ballast = 256 * 1024;
let disk: SmallDisk | undefined;
let storage: Storage | undefined;
let now = 0;
const open = (set: { ballast?: number } = {}): Storage =>
  (storage = openStorage({ file: join(disk!.path, 'data', 'opsroom.db'), now: () => now, ballast, ...set }));
beforeEach(() => {
  disk = SmallDisk.mount(4);
  now = 1_000_000;
});
afterEach(() => {
  storage?.[Symbol.dispose]();
  storage = undefined;
  disk?.[Symbol.dispose]();
});
/** The small disk; skipped where none can be mounted. */
function small(context: TestContext): SmallDisk {
  if (disk === undefined) return context.skip('a small file system can only be mounted by root');
  return disk;
}
const item = (key: string): NewInboxItem =>
  inboxItem(key, { body: { kind: 'message', text: `!health ${'x'.repeat(3000)}`, links: [] } });
const taken = (position: string, ...keys: string[]) => ({ stream: 'sync', position, items: keys.map(item), rooms: [] });
const refusal = {
  at: 1,
  actor: idOf('vera'),
  site: 'default',
  run: undefined,
  incident: undefined,
  act: 'disable',
  outcome: 'denied',
  detail: {},
};
/** Fills the disk and writes until the file takes no more. */
function choke({ ledger, steady }: Storage, on: SmallDisk): void {
  on.fill();
  for (let n = 0; n < 2000 && !steady.closed(); n += 1) {
    const before = ledger.inboxDepth();
    ledger.take(taken(`c${n}`, `$c${n}`));
    expect(ledger.inboxDepth()).toBe(before + 1);
  }
}

test('I2: on a full disk reads are taken and answered, changes are refused, and all of it is in the file afterwards', (context) => {
  const on = small(context);
  const { ledger, steady } = open({ ballast: 10 ** 9 });
  ledger.take(taken('s1', '$1'));
  ledger.commit({
    at: 1,
    runs: [someRun(1, { state: 'running' })],
    outbox: [row(ledger.reserve('outbox'))],
    switches: [{ name: 'x', value: 1 }],
  });
  choke(storage!, on);
  expect(steady.closed()?.why).toBe('the disk under dataDir is full');
  // A query: taken, settled, answered, sent.
  const [read] = ledger.take(taken('s2', '$1', '$2', '$3'));
  expect(read?.key).toBe('$2');
  const out = ledger.reserve('outbox');
  ledger.commit({ at: 1, inbox: [{ id: read!.id, state: 'done' }], outbox: [row(out)], audit: [refusal] });
  expect(ledger.outboxRow(out)?.state).toBe('pending');
  ledger.noteAttempt(out, 5);
  ledger.settleOutbox(out, 'sent', { eventId: '$said' });
  expect(ledger.outboxByEvent('$said')?.id).toBe(out);
  expect(ledger.switch('x')).toBe(1);
  expect(ledger.position('sync')).toBe('s2');
  // A change is not begun, a step not noted: it must stand in the file before it is done.
  const change = (): void => ledger.commit({ at: 1, runs: [someRun(ledger.reserve('run'))] });
  expect(change).toThrow(
    expect.objectContaining({
      kind: 'unavailable',
      effect: 'none',
      hint: expect.stringContaining('Make room') as string,
    }),
  );
  const step = {
    run: 1,
    key: 'lock',
    attempt: 1,
    state: 'begun',
    cursor: 0,
    total: undefined,
    kept: undefined,
  } as const;
  expect(() =>
    ledger.commit({ at: 1, steps: [{ ...step, error: undefined, begunAt: 1, endedAt: undefined }] }),
  ).toThrow('is full');
  expect(ledger.runsBy({}).map(({ id }) => id)).toEqual([1]);
  // A webhook is answered 200 only for what is in the file.
  expect(() => steady.durably(() => ledger.commit({ at: 1, outbox: [row(ledger.reserve('outbox'))] }))).toThrow(
    'is full',
  );
  // Not yet, then within seconds of room.
  now += 6000;
  steady.tick();
  expect(steady.closed()).toBeDefined();
  on.free();
  const depth = ledger.inboxDepth();
  now += 6000;
  steady.tick();
  // A reserve for which there never was room isn't waited for.
  expect(steady.closed()).toBeUndefined();
  change();
  expect(ledger.inboxDepth()).toBe(depth);
  storage![Symbol.dispose]();
  const again = open().ledger;
  expect(again.position('sync')).toBe('s2');
  expect(again.outboxRow(out)).toMatchObject({ state: 'sent', eventId: '$said' });
  expect(again.inboxDepth()).toBe(depth);
  expect(again.take(taken('s3', '$1', '$2', '$3'))).toEqual([]);
  expect(verifyAudit(again.auditAll())).toMatchObject({ ok: true, rows: 1 });
  expect(storage!.inspector.now('all')).toEqual({ structure: [], rows: [], audit: undefined });
});

test('I2: pages and acknowledgements go on in memory, and are in the file afterwards', (context) => {
  const on = small(context);
  const { ledger, steady } = open({ ballast: 10 ** 9 });
  steady.goesOn((name) => name === 'ack');
  ledger.take(taken('s1', '$1'));
  choke(storage!, on);
  const id = ledger.reserve('run');
  const ack = someRun(id, { command: 'ack', state: 'running', touches: { things: ['alert:1'] } });
  ledger.commit({ at: 1, runs: [ack], takeLocks: [{ target: 'alert:1', run: id }] });
  expect(ledger.run(id)?.state).toBe('running');
  expect(ledger.lockHolder('alert:1')).toBe(id);
  ledger.commit({ at: 1, runs: [{ ...ack, rev: 2, state: 'done' }], releaseLocksOf: [id] });
  expect(ledger.runsBy({ limit: 5 }).map((run) => [run.id, run.state])).toEqual([[id, 'done']]);
  on.free();
  now += 6000;
  steady.tick();
  storage![Symbol.dispose]();
  expect(open().ledger.run(id)).toMatchObject({ state: 'done', rev: 2 });
});

test('I2: the reserve is freed first: what is begun is written to its end, new changes wait for room', (context) => {
  const on = small(context);
  const { ledger, steady } = open();
  steady.tick();
  const reserve = join(on.path, 'data', 'ballast');
  expect(existsSync(reserve)).toBe(true);
  ledger.take(taken('s1', '$1'));
  on.fill();
  for (let n = 0; n < 500 && !steady.closed(); n += 1) ledger.take(taken(`p${n}`, `$p${n}`));
  expect(steady.closed()?.why).toContain('finished on the reserve');
  expect(existsSync(reserve)).toBe(false);
  ledger.commit({ at: 1, runs: [someRun(ledger.reserve('run'), { state: 'running' })] });
  now += 6000;
  steady.tick();
  expect(steady.closed()).toBeDefined();
  on.free();
  now += 6000;
  steady.tick();
  expect(steady.closed()).toBeUndefined();
  expect(existsSync(reserve)).toBe(true);
});

test('I1: a memory that is damaged serves from a copy of what can be read, and is not written any more', () => {
  using lost = openStorage({ file: ':memory:', lost: 'the memory is gone' });
  expect(lost.steady.closed()?.why).toBe('the memory is gone');
  lost.ledger.take(taken('s1', '$1'));
  expect(lost.ledger.newItems(5)).toHaveLength(1);
  expect(() => lost.ledger.commit({ at: 1, runs: [someRun(1)] })).toThrow('the memory is gone');
  using damaged = openStorage({ file: ':memory:' });
  damaged.ledger.take(taken('s1', '$1'));
  damaged.steady.giveUp('page 3 is torn');
  damaged.ledger.take(taken('s2', '$1', '$2'));
  expect(damaged.ledger.newItems(5).map(({ key }) => key)).toEqual(['$1', '$2']);
  expect(() => damaged.ledger.commit({ at: 1, runs: [someRun(1)] })).toThrow('page 3 is torn');
  damaged.steady.tick();
  expect(damaged.steady.closed()?.why).toBe('page 3 is torn');
});
