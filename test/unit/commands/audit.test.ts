import { describe, expect, test } from 'vitest';
import audit from '#commands/audit.ts';
import verify from '#commands/audit/verify.ts';
import runCommand from '#commands/run.ts';
import type { AuditLook } from '#domain/audit-log.ts';
import { planLines } from '#domain/plan-lines.ts';
import type { Line, Reply } from '#domain/messages.ts';
import { openStorage } from '#storage/open.ts';
import { idOf } from '#test/fakes/house.ts';
import { someRun } from '#test/fixtures/some-run.ts';

const bot = { prefix: '!', timezone: 'UTC' } as never;
const whole: AuditLook = {
  verdict: { ok: true, rows: 7, head: 'ab'.repeat(32), sealedTo: 5, forgotten: 1 },
  since: 0,
  fingerprint: '0123-4567-89ab-cdef',
};
const broken: AuditLook = { ...whole, verdict: { ok: false, seq: 3, why: 'it was changed' } };

const rowsOf = ({ blocks }: { blocks?: Reply['blocks'] | undefined }): Line[][] => {
  const [table] = blocks ?? [];
  return table?.kind === 'table' ? table.rows : [];
};

describe('!audit', () => {
  const show = async (args: object = {}, look = whole): Promise<Reply> => {
    using storage = openStorage({ file: ':memory:' });
    const { ledger } = storage;
    const entry = { at: 1000, site: 'default', incident: undefined, act: 'disable', detail: {} };
    ledger.commit({
      at: 1,
      runs: [someRun(1)],
      audit: [
        { ...entry, actor: idOf('alice'), run: 1, outcome: 'asked' },
        {
          ...entry,
          actor: idOf('vera'),
          run: undefined,
          outcome: 'denied',
          detail: { detail: { why: 'no role', what: '!disable bob x' } },
        },
        { ...entry, actor: idOf('bob'), run: 1, outcome: 'granted' },
        { ...entry, actor: idOf('alice'), run: 1, outcome: 'begun' },
        { ...entry, actor: idOf('alice'), run: 1, outcome: 'done' },
      ],
    });
    const runs = { find: (id: number) => ({ run: ledger.run(id)!, steps: [] }) };
    const log = { find: (filter: object) => ledger.audit(filter), look: () => look };
    const given = audit.args.parse(args);
    const data = await audit.answer(given, { audit: log, runs, bot } as never, {} as never);
    return audit.view(data, given, { bot } as never);
  };

  test('one line an act: who, with whom, on whom, how it ended', async () => {
    const { title, blocks } = await show();
    expect(title).toBe('7 entries, none changed, signed up to 5.');
    expect(rowsOf({ blocks }).map((cells) => cells.slice(2))).toEqual([
      ['@alice:example.org (with @bob:example.org)', 'disable', '@user1:example.org', 'done', 'r1'],
      ['@vera:example.org', 'disable', [{ code: '!disable bob x' }], 'denied: no role', ''],
    ]);
  });

  test('what was looked at lately, and what has no seal yet, is said in words', async () => {
    expect((await show({}, { ...whole, since: 7 })).title).toContain('7 entries, none new since the last look');
    const { verdict } = whole;
    const unsealed = { ...whole, verdict: { ...verdict, sealedTo: 0 } as AuditLook['verdict'] };
    expect((await show({}, unsealed)).title).toBe('7 entries, none changed, not signed yet (every 10 min).');
  });

  test('a limit counts acts, not rows; a changed record is said first', async () => {
    expect(rowsOf(await show({ limit: 1 }))).toHaveLength(1);
    expect(await show({}, broken)).toMatchObject({
      title: expect.stringContaining('entry 3: it was changed') as string,
      verdict: 'critical',
    });
  });
});

test('!audit verify says how far it is signed, by which key, and what to do when it was changed', () => {
  const text = (look: AuditLook): string => JSON.stringify(verify.view(look, {}, { bot } as never));
  expect(text(whole)).toMatch(/7 entries, none changed.*signed up to 5, by the key 0123.*newest 2.*1 without detail/);
  expect(text({ ...whole, since: 7 })).toMatch(
    /7 entries, none new since the last look.*all were whole then; !audit verify --all/,
  );
  expect(text({ ...whole, since: 3 })).toMatch(/Entries 4 to 7.*!audit verify --all/);
  expect(text(broken)).toMatch(/entry 3: it was changed.*audit export/);
});

test('!run shows the plan field by field', () => {
  const plan = { user: '@a:b', soft: false, banMs: 5, rooms: ['!a', '!b'], none: [], taken: null };
  expect(planLines(plan)).toEqual([
    ['user: ', { code: '@a:b' }],
    ['soft: ', { code: 'no' }],
    ['ban (ms): ', { code: '5' }],
    ['rooms (2): ', { code: '!a, !b' }, ''],
    'none: none',
    ['taken: ', { code: 'none' }],
  ]);
  expect(JSON.stringify(planLines({ rooms: Array.from({ length: 30 }, (_, n) => n) }))).toContain(' and 20 more');
  const step = { run: 1, attempt: 1, state: 'done' as const, cursor: 0, total: undefined, kept: undefined };
  const steps = ['prove', 'gone'].map((key) => ({ ...step, key, error: undefined, begunAt: 1, endedAt: 2 }));
  const shown = { run: someRun(1), steps, titles: { prove: 'prove that nothing is left' } };
  const view = JSON.stringify(runCommand.view(shown, { id: 'r1' }, { bot } as never));
  expect(view).not.toContain('{\\"');
  expect(view).toContain('["prove that nothing is left","done","1",""]');
  // Of an older version of the bot.
  expect(view).toContain('["gone","done","1",""]');
});
