import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { auditGenesis, auditHash, type AuditRow, chainAudit, verifyAudit } from '#domain/audit.ts';
import { hashOf, type Json } from '#domain/canonical.ts';
import { idOf } from '#test/fakes/house.ts';

const detail: fc.Arbitrary<Json> = fc.dictionary(
  fc.string({ maxLength: 5 }),
  fc.oneof(fc.string({ maxLength: 5 }), fc.integer(), fc.boolean()),
  { maxKeys: 3 },
);
const chain = (length: number): AuditRow[] => {
  const rows: AuditRow[] = [];
  for (let n = 0; n < length; n += 1) {
    const last = rows.at(-1) ?? { seq: 0, hash: auditGenesis };
    const entry = {
      at: 1000 + n,
      actor: idOf(n % 2 ? 'alice' : 'bob'),
      site: 'default',
      run: n % 3 ? n : undefined,
      incident: undefined,
      act: 'disable',
      outcome: 'done',
      detail: { n },
    };
    rows.push(chainAudit(entry, last));
  }
  return rows;
};
const whole = chain(12);
type Key = keyof AuditRow;
const text = ['actor', 'site', 'act', 'outcome', 'detailHash', 'prev', 'hash'] as const satisfies Key[];
const numbers = ['seq', 'at', 'run', 'incident'] as const satisfies Key[];

/** A change of one row, and the first row that is wrong by it. */
type Mutation = { rows: AuditRow[]; wrong: number };
const edit = (index: number, set: Partial<AuditRow>): AuditRow[] =>
  whole.map((row, at) => (at === index ? { ...row, ...set } : row));
const index = fc.integer({ min: 0, max: whole.length - 1 });
const flipped = (value: string, at: number): string => {
  const place = at % value.length;
  const other = value[place] === '0' ? '1' : '0';
  return value.slice(0, place) + other + value.slice(place + 1);
};
const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.record({ index, key: fc.constantFrom(...text), at: fc.nat() }).map(({ index, key, at }) => ({
    rows: edit(index, { [key]: flipped(String(whole[index]![key]), at) }),
    wrong: index + 1,
  })),
  fc
    .record({ index, key: fc.constantFrom(...numbers), by: fc.integer({ min: 1, max: 5 }), negative: fc.boolean() })
    .map(({ index, key, by, negative }) => ({
      rows: edit(index, { [key]: (whole[index]![key] ?? 0) + (negative ? -by : by) }),
      wrong: index + 1,
    })),
  fc
    .record({ index, detail: detail.filter((value) => typeof (value as { n?: unknown }).n !== 'number') })
    .map(({ index, detail }) => ({ rows: edit(index, { detail }), wrong: index + 1 })),
  // Deleted anywhere but at the end, which only the signed heads tell.
  fc.integer({ min: 0, max: whole.length - 2 }).map((gone) => ({ rows: whole.toSpliced(gone, 1), wrong: gone + 1 })),
  fc.record({ index, copy: index }).map(({ index, copy }) => ({
    rows: whole.toSpliced(index, 0, whole[copy]!),
    wrong: copy === index ? index + 2 : index + 1,
  })),
  fc
    .tuple(index, index)
    .filter(([a, b]) => a < b)
    .map(([a, b]) => ({ rows: whole.with(a, whole[b]!).with(b, whole[a]!), wrong: a + 1 })),
  // A row rewritten with a hash that fits it: the next one doesn't follow.
  fc.integer({ min: 0, max: whole.length - 2 }).map((at) => {
    const forged = { ...whole[at]!, outcome: 'refused' };
    return { rows: edit(at, { ...forged, hash: auditHash(forged) }), wrong: at + 2 };
  }),
  fc.integer({ min: 0, max: whole.length - 2 }).map((at) => {
    const forged = { ...whole[at]!, detail: { n: 'forged' }, detailHash: hashOf({ n: 'forged' }) };
    return { rows: edit(at, { ...forged, hash: auditHash(forged) }), wrong: at + 2 };
  }),
);

describe('the chain', () => {
  test('a whole one verifies, and names its head', () => {
    const unsealed = { ok: true, sealedTo: 0, forgotten: 0 };
    expect(verifyAudit(whole)).toEqual({ ...unsealed, rows: 12, head: whole.at(-1)!.hash });
    expect(verifyAudit([])).toEqual({ ...unsealed, rows: 0, head: auditGenesis });
  });

  test('F1: 10,000 random mutations: each is found, and the first bad row is named', () => {
    fc.assert(
      fc.property(mutation, ({ rows, wrong }) => {
        const verdict = verifyAudit(rows);
        expect(verdict.ok).toBe(false);
        expect(verdict).toMatchObject({ seq: wrong });
      }),
      { numRuns: 10_000 },
    );
  });

  test.each([
    ['a row is missing', whole.toSpliced(4, 1), 5],
    ['its detail was changed', edit(4, { detail: { n: 'forged' } }), 5],
    ['it was changed', edit(4, { outcome: 'refused' }), 5],
    ['it does not follow the row before it', edit(4, { prev: 'f'.repeat(64) }), 5],
  ])('says what is wrong: %s', (why, rows, seq) => {
    expect(verifyAudit(rows)).toEqual({ ok: false, seq, why });
  });

  test('a detail may be forgotten, any and all of them', () => {
    fc.assert(
      fc.property(fc.subarray([...whole.keys()]), (gone) => {
        const rows = whole.map((row, at) => (gone.includes(at) ? { ...row, detail: undefined } : row));
        expect(verifyAudit(rows)).toMatchObject({ ok: true, forgotten: gone.length });
      }),
    );
  });

  test('no run and no incident hash alike whether undefined or read back as such, but not as 0', () => {
    const [row] = chain(1);
    const { detail: _, hash: __, ...rest } = row!;
    expect(auditHash({ ...rest, run: undefined })).not.toBe(auditHash({ ...rest, run: 0 }));
    expect(auditHash({ ...rest, run: 5, incident: undefined })).not.toBe(
      auditHash({ ...rest, run: undefined, incident: 5 }),
    );
  });

  test('the hash covers the detail by its hash only', () => {
    const entry = {
      at: 1,
      actor: idOf('alice'),
      site: 's',
      run: undefined,
      incident: undefined,
      act: 'a',
      outcome: 'o',
      detail: { b: 1, a: 2 } as Json,
    };
    const row = chainAudit(entry, { seq: 4, hash: 'f'.repeat(64) });
    expect(row).toMatchObject({ seq: 5, prev: 'f'.repeat(64), detailHash: hashOf({ a: 2, b: 1 }) });
    const { detail: _, hash, ...rest } = row;
    expect(auditHash(rest)).toBe(hash);
  });
});
