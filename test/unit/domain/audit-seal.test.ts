import { generateKeyPairSync, verify } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { auditGenesis, type AuditRow, chainAudit, verifyAudit } from '#domain/audit.ts';
import { fingerprintOf, openSeal, sealAudit, type SigningKey } from '#domain/audit-seal.ts';
import { idOf } from '#test/fakes/house.ts';

const newKey = (origin = 'example.org/opsroom'): SigningKey => ({ origin, ...generateKeyPairSync('ed25519') });
const key = newKey();
const chain = (length: number, changed?: number): AuditRow[] => {
  const rows: AuditRow[] = [];
  for (let n = 1; n <= length; n += 1) {
    const entry = { at: 1000 + n, actor: idOf('alice'), site: 'default', run: n, incident: undefined };
    const act = n === changed ? 'enable' : 'disable';
    rows.push(
      chainAudit({ ...entry, act, outcome: 'done', detail: { n } }, rows.at(-1) ?? { seq: 0, hash: auditGenesis }),
    );
  }
  return rows;
};
const length = 25;
const every = 10;
const whole = chain(length);
const sealOf = (row: AuditRow, by = key): { note: string } => ({ note: sealAudit(row, by) });
const sealed = whole.filter(({ seq }) => seq % every === 0);
const seals = sealed.map((row) => sealOf(row));

describe('a seal', () => {
  test('says rows and hash, and is opened by its key only', () => {
    const [head] = whole as [AuditRow];
    const note = sealAudit(head, key);
    expect(openSeal(note, key)).toEqual({ seq: 1, hash: head.hash, at: head.at });
    expect(openSeal(note, newKey())).toBeUndefined();
    expect(openSeal(note, { ...key, origin: 'example.org/other' })).toBeUndefined();
  });

  test('is a C2SP signed note: origin, size, base64 hash; the signature is over the text with its last line end', () => {
    const [head] = whole as [AuditRow];
    const [text = '', tail = ''] = sealAudit(head, key).split('\n\n');
    const [origin, size, hash] = text.split('\n');
    expect([origin, size, hash]).toEqual([key.origin, '1', Buffer.from(head.hash, 'hex').toString('base64')]);
    expect(tail).toMatch(/^— example\.org\/opsroom [A-Za-z0-9+/=]+\n$/);
    const bytes = Buffer.from(tail.split(' ')[2] ?? '', 'base64');
    expect(bytes).toHaveLength(4 + 64);
    expect(verify(null, Buffer.from(`${text}\n`), key.publicKey, bytes.subarray(4))).toBe(true);
  });

  test('F1: any flipped bit of it is seen', () => {
    const note = Buffer.from(sealOf(whole[9]!).note);
    fc.assert(
      fc.property(fc.nat({ max: note.length * 8 - 1 }), (bit) => {
        const bytes = Buffer.from(note);
        bytes[bit >> 3]! ^= 1 << (bit & 7);
        const open = openSeal(bytes.toString(), key);
        // The last bits of base64 may carry nothing: then it says the same, signed.
        if (open !== undefined) expect(open).toEqual(openSeal(note.toString(), key));
      }),
      { numRuns: 1000 },
    );
  });

  test('the fingerprint is the key’s, short enough to compare by eye', () => {
    expect(fingerprintOf(key.publicKey)).toMatch(/^([0-9a-f]{4}-){3}[0-9a-f]{4}$/);
    expect(fingerprintOf(key.publicKey)).not.toBe(fingerprintOf(newKey().publicKey));
  });
});

describe('the chain under its seals', () => {
  test('says how far it is sealed', () => {
    expect(verifyAudit(whole, { seals, key })).toMatchObject({ ok: true, rows: length, sealedTo: 20 });
    expect(verifyAudit(whole, { key })).toMatchObject({ ok: true, sealedTo: 0 });
  });

  test('F1: a chain written anew without the key is found, down to the last seal', () => {
    for (let changed = 1; changed <= length; changed += 1) {
      const verdict = verifyAudit(chain(length, changed), { seals, key });
      if (changed > 20) expect(verdict).toMatchObject({ ok: true });
      else expect(verdict, String(changed)).toMatchObject({ ok: false, seq: changed > 10 ? 11 : 1 });
    }
  });

  test('F1: a cut tail is found down to the last seal', () => {
    for (let kept = 0; kept < length; kept += 1) {
      const verdict = verifyAudit(whole.slice(0, kept), { seals, key });
      if (kept >= 20) expect(verdict).toMatchObject({ ok: true, rows: kept });
      else expect(verdict, String(kept)).toMatchObject({ ok: false, seq: kept + 1 });
    }
  });

  test('F1: a seal of another key, or two that disagree, are told', () => {
    const forged = chain(length, 5);
    const other = newKey();
    const theirs = forged.filter(({ seq }) => seq % every === 0).map((row) => sealOf(row, other));
    expect(verifyAudit(forged, { seals: theirs, key })).toMatchObject({ ok: false, seq: 10 });
    expect(verifyAudit(whole, { seals: [...seals, sealOf(forged[19]!)], key })).toMatchObject({ ok: false, seq: 20 });
    expect(verifyAudit(whole, { seals })).toMatchObject({ ok: false, seq: 10 });
  });

  test.each([
    [
      'not the key’s own',
      whole,
      [sealOf(whole[19]!, newKey())],
      20,
      'its seal was not signed by the key of this record',
    ],
    ['no seal at all', whole, [{ note: 'x\n12\n' }], 12, 'its seal was not signed by the key of this record'],
    ['that and no number', whole, [{ note: 'nothing' }], 0, 'its seal was not signed by the key of this record'],
    [
      'sealed twice',
      whole,
      [...seals, sealOf(chain(length, 5)[19]!)],
      20,
      'two seals say different things of it: it was written twice',
    ],
    ['made anew', chain(length, 12), seals, 11, 'it is not what was sealed (or another up to 20)'],
    [
      'changed right behind a seal',
      chain(11, 11),
      [sealOf(whole[9]!), sealOf(whole[10]!)],
      11,
      'it is not what was sealed',
    ],
    ['cut', whole.slice(0, 15), seals, 16, 'the record ends before it, and 20 rows were sealed'],
  ])('says what is wrong: %s', (_, rows, notes, seq, why) => {
    expect(verifyAudit(rows, { seals: notes, key })).toEqual({ ok: false, seq, why });
  });

  test('a walk from a row that was good before sees the rest as the whole walk does', () => {
    const from = { seq: 15, hash: whole[14]!.hash };
    const rest = whole.slice(15);
    expect(verifyAudit(rest, { seals, key, from })).toMatchObject({ ok: true, rows: length, sealedTo: 20 });
    expect(verifyAudit(chain(length, 15).slice(15), { seals, key, from })).toMatchObject({ ok: false, seq: 16 });
    expect(verifyAudit([], { seals, key, from })).toMatchObject({ ok: false, seq: 16 });
  });
});
