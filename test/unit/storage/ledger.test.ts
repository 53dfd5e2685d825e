import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { auditGenesis, verifyAudit } from '#domain/audit.ts';
import { OpsError } from '#domain/errors.ts';
import type { Change } from '#domain/ledger.ts';
import type { Prompt } from '#domain/prompts.ts';
import { advance, openRunStates, type Run, type RunState, type Step } from '#domain/runs.ts';
import type { NewInboxItem } from '#domain/inbox.ts';
import { SqliteLedger } from '#storage/ledger.ts';
import { migrate } from '#storage/migrate.ts';
import { openStorage, type Storage } from '#storage/open.ts';
import { openTables } from '#storage/tables.ts';
import { idOf, opsRoom } from '#test/fakes/house.ts';
import { inboxItem as item } from '#test/fixtures/inbox-items.ts';
import { row } from '#test/fixtures/outbox-rows.ts';
import { someRun } from '#test/fixtures/some-run.ts';

let storage: Storage;
beforeEach(() => void (storage = openStorage({ file: ':memory:' })));
afterEach(() => storage[Symbol.dispose]());

const run = (id: number, set: Partial<Run> = {}): Run =>
  someRun(id, { plan: { z: 1, a: ['é', null] }, where: { room: opsRoom, thread: undefined, event: '$1' }, ...set });
const prompt = (id: number, set: Partial<Prompt> = {}): Prompt => ({
  id,
  rev: 1,
  run: 1,
  code: `c0d${id}`,
  planHash: 'f00',
  need: 'caller',
  role: 'operator',
  message: 1,
  asked: 1,
  remindAt: undefined,
  expiresAt: 100,
  atEnd: 'expire',
  answeredBy: undefined,
  state: 'open',
  ...set,
});
const step = (key: string, set: Partial<Step> = {}): Step => ({
  run: 1,
  key,
  attempt: 1,
  state: 'begun',
  cursor: 0,
  total: undefined,
  kept: undefined,
  error: undefined,
  begunAt: 1,
  endedAt: undefined,
  ...set,
});
const audit = (act = 'disable') => ({
  at: 1,
  actor: idOf('alice'),
  site: 'default',
  run: 1,
  incident: undefined,
  act,
  outcome: 'done',
  detail: { b: 1, a: 2 },
});
const commit = (change: Omit<Change, 'at'>): void => storage.ledger.commit({ at: 1, ...change });

describe('a change', () => {
  test('comes back as it was written', () => {
    const { ledger } = storage;
    const taken = ledger.take({ stream: 's', position: 'p1', items: [item('$a')], rooms: [] });
    commit({
      runs: [run(1)],
      steps: [step('one', { kept: { n: 1 }, state: 'done' })],
      prompts: [prompt(1)],
      votes: [{ prompt: 1, actor: idOf('bob'), verdict: 'approve', proof: 'reaction', at: 1 }],
      outbox: [row(1)],
      audit: [audit()],
      takeLocks: [{ target: 'user:x', run: 1 }],
      holds: [
        {
          site: 'default',
          user: idOf('mallory'),
          kind: 'call-ban',
          identities: [],
          until: 50,
          run: 1,
          endedAt: undefined,
        },
      ],
      switches: [{ name: 'paused', value: { by: 'x' } }],
      slots: [{ job: 'j', dueAt: 5, state: 'taken', run: 1 }],
      inbox: [{ id: taken[0]!.id, state: 'done', run: 1 }],
    });
    expect(ledger.run(1)).toEqual(run(1));
    expect(ledger.steps(1)).toEqual([step('one', { kept: { n: 1 }, state: 'done' })]);
    expect([
      ledger.prompt({ id: 1 }),
      ledger.prompt({ code: 'c0d1' }),
      ledger.prompt({ message: 1 }),
      ledger.prompt({ run: 1 }),
    ]).toEqual(Array(4).fill(prompt(1)));
    expect(ledger.lockHolder('user:x')).toBe(1);
    expect(ledger.holds(49)).toHaveLength(1);
    expect(ledger.holds(50)).toEqual([]);
    expect(ledger.switch('paused')).toEqual({ by: 'x' });
    expect(ledger.slots('j', 5)).toHaveLength(1);
    expect(ledger.newItems(10)).toEqual([]);
    expect(ledger.audit({})).toMatchObject([{ seq: 1, act: 'disable', detail: { a: 2, b: 1 } }]);
    expect(verifyAudit(ledger.auditAll())).toMatchObject({ ok: true, rows: 1 });
  });

  test.each<[string, Omit<Change, 'at'>, string]>([
    ['a run whose revision moved', { runs: [{ ...run(1), rev: 3 }] }, 'Run r1 changed meanwhile'],
    ['a run that is not there', { runs: [{ ...run(9), rev: 2 }] }, 'Run r9 changed meanwhile'],
    ['a run that is there already', { runs: [run(1)] }, 'UNIQUE'],
    ['a prompt whose revision moved', { prompts: [prompt(1, { rev: 3 })] }, 'The question c0d1 changed meanwhile'],
    ['a second open prompt of the same code', { prompts: [prompt(2, { code: 'c0d1' })] }, 'UNIQUE'],
    [
      'a vote of nobody',
      { votes: [{ prompt: 1, actor: undefined as never, verdict: 'deny', proof: 'clear', at: 1 }] },
      'NOT NULL',
    ],
    ['a lock that another run holds', { takeLocks: [{ target: 'user:x', run: 2 }] }, 'Run r1 is working on x'],
    ['an inbox item that was settled', { inbox: [{ id: 77, state: 'done' }] }, 'Inbox item 77 changed meanwhile'],
    ['an audit entry that is not JSON', { audit: [{ ...audit(), detail: (() => 1) as never }] }, 'not JSON'],
    ['an outbox row that is there already', { outbox: [row(1)] }, 'UNIQUE'],
  ])('is written whole or not at all: %s', (_, wrong, why) => {
    const { ledger } = storage;
    commit({
      runs: [run(1)],
      prompts: [prompt(1)],
      outbox: [row(1)],
      takeLocks: [{ target: 'user:x', run: 1 }],
      audit: [audit()],
    });
    const [taken] = ledger.take({ stream: 's', position: 'p', items: [item('$a')], rooms: [] });
    const before = { head: ledger.auditHead(), pending: ledger.outboxDepth() };
    const good: Omit<Change, 'at'> = {
      inbox: [{ id: taken!.id, state: 'done' }],
      runs: [run(5)],
      steps: [step('one')],
      outbox: [row(50)],
      audit: [audit('good')],
      takeLocks: [{ target: 'free', run: 1 }],
      switches: [{ name: 'paused', value: 1 }],
    };
    const merged = Object.fromEntries(
      [...new Set([...Object.keys(good), ...Object.keys(wrong)])].map((key) => [
        key,
        [...((good as Record<string, unknown[]>)[key] ?? []), ...((wrong as Record<string, unknown[]>)[key] ?? [])],
      ]),
    );
    expect(() => commit(merged)).toThrow(why);
    expect(ledger.newItems(10)).toHaveLength(1);
    expect(ledger.run(5)).toBeUndefined();
    expect(ledger.run(1)?.rev).toBe(1);
    expect(ledger.steps(1)).toEqual([]);
    expect(ledger.lockHolder('free')).toBeUndefined();
    expect(ledger.switch('paused')).toBeUndefined();
    expect({ head: ledger.auditHead(), pending: ledger.outboxDepth() }).toEqual(before);
    // The chain goes on where it was.
    commit({ audit: [audit('next')] });
    expect(verifyAudit(ledger.auditAll())).toMatchObject({ ok: true, rows: 2 });
  });

  test('a conflict says what moved and by whom a lock is held', () => {
    commit({ runs: [run(1)], takeLocks: [{ target: 'user:@mallory:example.org', run: 1 }] });
    const error = (change: Omit<Change, 'at'>): unknown => {
      try {
        commit(change);
      } catch (thrown) {
        return thrown;
      }
    };
    expect(error({ runs: [run(1, { rev: 7 })] })).toMatchObject({
      kind: 'conflict',
      message: 'Run r1 changed meanwhile; look again.',
    });
    expect(error({ takeLocks: [{ target: 'user:@mallory:example.org', run: 2 }] })).toMatchObject({
      kind: 'conflict',
      message: 'Run r1 is working on @mallory:example.org right now.',
    });
    expect(error({ takeLocks: [{ target: 'user:@mallory:example.org', run: 1 }] })).toBeUndefined();
    commit({ releaseLocksOf: [1], takeLocks: [{ target: 'user:@mallory:example.org', run: 2 }] });
    expect(storage.ledger.lockHolder('user:@mallory:example.org')).toBe(2);
  });

  test('two that start from the same revision: the second is refused', () => {
    commit({ runs: [run(1)] });
    const seen = storage.ledger.run(1)!;
    commit({ runs: [advance(seen, 'running')] });
    expect(() => commit({ runs: [advance(seen, 'cancelled')] })).toThrow(OpsError);
    expect(storage.ledger.run(1)).toMatchObject({ state: 'running', rev: 2 });
  });

  test('an open code is free again once its question is closed', () => {
    commit({ prompts: [prompt(1)] });
    commit({ prompts: [prompt(1, { rev: 2, state: 'denied' })] });
    commit({ prompts: [prompt(2, { code: 'c0d1' })] });
    expect(storage.ledger.prompt({ code: 'c0d1' })?.id).toBe(2);
    expect(storage.ledger.openPrompts().map(({ id }) => id)).toEqual([2]);
  });
});

describe('what is looked up', () => {
  test('runs by state, actor, key and command, the newest first', () => {
    commit({
      runs: [
        run(1, { state: 'done' }),
        run(2, { actor: idOf('bob') }),
        run(3, { command: 'enable', state: 'running' }),
      ],
    });
    const ids = (filter: Parameters<Storage['ledger']['runsBy']>[0]) =>
      storage.ledger.runsBy(filter).map(({ id }) => id);
    expect(ids({})).toEqual([3, 2, 1]);
    expect(ids({ limit: 2 })).toEqual([3, 2]);
    expect(ids({ states: ['running', 'done'] })).toEqual([3, 1]);
    expect(ids({ states: [] })).toEqual([]);
    expect(ids({ actor: idOf('bob') })).toEqual([2]);
    expect(ids({ key: '$3' })).toEqual([3]);
    expect(ids({ command: 'disable', states: ['waiting'] })).toEqual([2]);
  });

  test('the audit by actor, act and run', () => {
    commit({
      audit: [audit('disable'), { ...audit('backup now'), run: 2 }, { ...audit('backup list'), actor: idOf('bob') }],
    });
    const seqs = (filter: Parameters<Storage['ledger']['audit']>[0]) =>
      storage.ledger.audit(filter).map(({ seq }) => seq);
    expect(seqs({})).toEqual([3, 2, 1]);
    expect(seqs({ act: 'backup' })).toEqual([3, 2]);
    expect(seqs({ actor: idOf('bob') })).toEqual([3]);
    expect(seqs({ run: 2 })).toEqual([2]);
    expect(seqs({ limit: 1 })).toEqual([3]);
    expect(storage.ledger.auditHead().seq).toBe(3);
  });

  test('an act is looked for as it is typed: its signs mean themselves', () => {
    commit({ audit: [audit('disable')] });
    expect(storage.ledger.audit({ act: '%' })).toEqual([]);
    expect(storage.ledger.audit({ act: '_isable' })).toEqual([]);
  });

  test('an empty memory', () => {
    const { ledger } = storage;
    expect([
      ledger.run(1),
      ledger.prompt({}),
      ledger.position('s'),
      ledger.roomFacts(opsRoom),
      ledger.switch('x'),
      ledger.takenAway('default', idOf('x')),
    ]).toEqual(Array(6).fill(undefined));
    expect(ledger.auditHead()).toEqual({ seq: 0, hash: auditGenesis });
    expect(ledger.steps(1)).toEqual([]);
  });

  test('numbers are given once', () => {
    const { ledger } = storage;
    expect([ledger.reserve('run'), ledger.reserve('run'), ledger.reserve('outbox')]).toEqual([1, 2, 1]);
  });
});

describe('the inbox', () => {
  const { take, keys } = {
    take: (position: string, ...items: NewInboxItem[]) =>
      storage.ledger.take({ stream: 'sync', position, items, rooms: [] }),
    keys: () => storage.ledger.newItems(100).map(({ key }) => key),
  };

  test('gives only what is new, in its order; a key is unique per source', () => {
    expect(take('1', item('$a'), item('$b')).map(({ id, key, state }) => [id, key, state])).toEqual([
      [1, '$a', 'new'],
      [2, '$b', 'new'],
    ]);
    expect(
      take('2', item('$b'), item('$c'), item('$c'), item('$a', { source: 'schedule' })).map(({ key, source }) => [
        key,
        source,
      ]),
    ).toEqual([
      ['$c', 'matrix'],
      ['$a', 'schedule'],
    ]);
    expect(keys()).toEqual(['$a', '$b', '$c', '$a']);
    expect(storage.ledger.inboxDepth()).toBe(4);
    expect(storage.ledger.position('sync')).toBe('2');
  });

  test('an item is settled once', () => {
    const [taken] = take('1', item('$a'));
    commit({ inbox: [{ id: taken!.id, state: 'ignored' }] });
    expect(() => commit({ inbox: [{ id: taken!.id, state: 'done' }] })).toThrow(
      expect.objectContaining({ kind: 'conflict' }),
    );
    expect(take('2', item('$a'))).toEqual([]);
  });

  test('position, items and facts are taken together or not at all', () => {
    take('1', item('$a'));
    const facts = { room: opsRoom, joined: [idOf('alice')], encrypted: false, joinRule: 'invite', version: '12' };
    const bad = { ...item('$c'), body: { kind: 'message', text: (() => 1) as never, links: [] } } as NewInboxItem;
    expect(() =>
      storage.ledger.take({ stream: 'sync', position: '2', items: [item('$b'), bad], rooms: [facts] }),
    ).toThrow('not JSON');
    expect([storage.ledger.position('sync'), keys(), storage.ledger.roomFacts(opsRoom)]).toEqual([
      '1',
      ['$a'],
      undefined,
    ]);
    storage.ledger.take({ stream: 'sync', position: '2', items: [], rooms: [facts] });
    expect(storage.ledger.roomFacts(opsRoom)).toEqual(facts);
  });

  test('a body comes back with all that a stranger put into it', () => {
    const body = { kind: 'message' as const, text: '!x \u202e"\\ \u0000 é 😀', links: [{ href: 'x', text: "'" }] };
    take('1', item('$a', { body }));
    expect(storage.ledger.newItems(1)[0]?.body).toEqual(body);
  });
});

test('the open runs are found by their index, however many have ended', () => {
  const db = new Database(':memory:');
  migrate(db);
  const plans: string[] = [];
  const tables = openTables(db);
  const { all } = tables.runs;
  tables.runs.all = (tail: string, ...parameters: unknown[]) => {
    const explained = db.prepare(`EXPLAIN QUERY PLAN SELECT * FROM runs ${tail}`).all(...parameters);
    plans.push(JSON.stringify(explained));
    return all.call(tables.runs, tail, ...parameters);
  };
  const ledger = new SqliteLedger(db, tables, 'x');
  for (const states of [['running', 'stopping'], ['waiting'], openRunStates] as RunState[][]) ledger.runsBy({ states });
  expect(plans).toHaveLength(3);
  for (const plan of plans) expect(plan).toContain('runs_open');
  db.close();
});
