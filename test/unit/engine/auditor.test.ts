import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openSeal } from '#domain/audit-seal.ts';
import { verifyExport } from '#domain/audit-export.ts';
import type { Auditor } from '#engine/auditor.ts';
import { openAuditor } from '#src/audit.ts';
import { verifyAuditFile } from '#src/audit-file.ts';
import { linesOf } from '#storage/audit-file.ts';
import { openStorage, type Storage } from '#storage/open.ts';
import { FakeClock } from '#test/fakes/clock.ts';
import { botUser, idOf, opsRoom } from '#test/fakes/house.ts';
import { FakeLog } from '#test/fakes/log.ts';

let folder: string;
let storage: Storage;
let clock: FakeClock;
let auditor: Auditor;
const file = (): string => join(folder, 'opsroom.db');

function begin(): void {
  storage = openStorage({ file: file() });
  const bot = {
    user: botUser,
    opsRoom,
    site: 'default',
    prefix: '!',
    timezone: 'UTC',
    version: '1',
    startedAt: 0,
    off: [],
  };
  auditor = openAuditor({ storage, dataDir: folder, bot, clock, log: new FakeLog() });
}
beforeEach(() => {
  folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'opsroom-auditor-'));
  clock = new FakeClock();
  begin();
});
afterEach(() => {
  storage[Symbol.dispose]();
  rmSync(folder, { recursive: true, force: true });
});

function act(count: number): void {
  const entry = { actor: idOf('alice'), site: 'default', run: undefined, incident: undefined, act: 'disable' };
  const at = clock.now();
  const audit = Array.from({ length: count }, (_, n) => ({ ...entry, at, outcome: 'done', detail: { n } }));
  storage.ledger.commit({ at, audit });
}
const said = () => storage.ledger.outboxAbout({ kind: 'notice', id: 'audit-seal' });
const tamper = (sql: string): void => {
  const db = new Database(file());
  db.exec(sql);
  db.close();
};

describe('seals', () => {
  test('F1: ten minutes after a row came, and again when rows came; none without', async () => {
    auditor.tick();
    await clock.advance(3_600_000);
    auditor.tick();
    expect(said()).toHaveLength(0);
    act(1);
    auditor.tick();
    await clock.advance(599_000);
    auditor.tick();
    expect(said()).toHaveLength(0);
    await clock.advance(1000);
    auditor.tick();
    auditor.tick();
    expect(said()).toHaveLength(1);
    await clock.advance(3_600_000);
    auditor.tick();
    expect(storage.ledger.auditSeals().map(({ seq }) => seq)).toEqual([1]);
  });

  test('F1: at once when a hundred rows wait', () => {
    act(99);
    auditor.tick();
    expect(said()).toHaveLength(0);
    act(1);
    auditor.tick();
    const [row] = said();
    expect(row).toMatchObject({ room: opsRoom, content: { kind: 'message', rings: false, mentions: [] } });
    const [seal] = storage.ledger.auditSeals();
    expect(seal).toMatchObject({ seq: 100, hash: storage.ledger.auditHead().hash, outbox: row?.id });
    expect(openSeal(seal!.note, storage.auditKey)).toMatchObject({ seq: 100 });
    expect(JSON.stringify(row?.content)).toContain(JSON.stringify(seal!.note).slice(1, -1));
    expect(storage.seals.notes()).toEqual([seal!.note]);
  });

  test('one message a day is edited, the next day has its own; a restart goes on', async () => {
    for (const [hours, restart] of [[0], [1], [1, true], [24], [1]] as Array<[number, true?]>) {
      await clock.advance(hours * 3_600_000);
      if (restart) {
        storage[Symbol.dispose]();
        begin();
      }
      act(100);
      auditor.tick();
      for (const { id, replaces, state } of said()) {
        if (state === 'pending')
          storage.ledger.settleOutbox(id, 'sent', replaces === undefined ? { eventId: `$${id}` } : {});
      }
    }
    const rows = said();
    expect(rows).toHaveLength(5);
    const day = (n: number) => rows[n]!.id;
    expect(rows.map(({ replaces }) => replaces)).toEqual([undefined, day(0), day(0), undefined, day(3)]);
  });

  test('the end is sealed at a stop and said after the next start', async () => {
    act(3);
    auditor.close();
    expect(said()).toHaveLength(0);
    expect(storage.seals.notes()).toHaveLength(1);
    storage[Symbol.dispose]();
    begin();
    auditor.tick();
    await clock.advance(600_000);
    auditor.tick();
    expect(said()).toHaveLength(1);
    expect(storage.ledger.auditSeals()).toMatchObject([{ seq: 3, outbox: said()[0]!.id }]);
  });
});

describe('looking', () => {
  test('an edited row is named by both looks', async () => {
    act(300);
    auditor.tick();
    expect(auditor.look()).toMatchObject({ verdict: { ok: true, rows: 300, sealedTo: 300 }, since: 0 });
    act(10);
    expect(auditor.look()).toMatchObject({ verdict: { ok: true, rows: 310 }, since: 300 });
    tamper(`UPDATE audit SET actor = '@eve:x' WHERE seq = 305`);
    expect((await auditor.lookWhole()).verdict).toMatchObject({ ok: false, seq: 305 });
    tamper(`UPDATE audit SET actor = '@eve:x' WHERE seq = 7`);
    expect((await auditor.lookWhole()).verdict).toMatchObject({ ok: false, seq: 7 });
  });
});

describe('export', () => {
  const run = (...args: string[]): { code: number; text: string } => {
    let text = '';
    const code = verifyAuditFile(args, { write: (more: string) => (text += more) });
    return { code, text };
  };

  test('F4: the file alone is enough, also with the key pinned; it is for nobody else', async () => {
    act(250);
    const { path, rows } = await auditor.export(idOf('alice'));
    expect(rows).toBe(251);
    expect(path).toMatch(/exports\/audit-\d{8}T\d{6}Z\.jsonl$/);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(storage.ledger.audit({ limit: 1 })).toMatchObject([{ act: 'audit export', actor: idOf('alice') }]);
    const key = join(folder, 'audit-key.pub.pem');
    expect(run('verify', path)).toMatchObject({
      code: 0,
      text: expect.stringContaining('251 entries, none changed') as string,
    });
    expect(run('verify', path, '--key', key).code).toBe(0);
    expect(run('--help')).toMatchObject({ code: 0, text: expect.stringContaining('audit verify FILE') as string });
    expect(run('verify', '--key', join(folder, 'audit-key.pem'), path).code).toBe(0);
  });

  test('F4: another bot’s key, no key, no file, no export: each is told', async () => {
    act(5);
    const { path } = await auditor.export(idOf('alice'));
    const other = join(folder, 'other');
    openStorage({ file: join(other, 'opsroom.db') })[Symbol.dispose]();
    expect(run('verify', path, '--key', join(other, 'audit-key.pub.pem'))).toMatchObject({ code: 1 });
    expect(() => run('verify', path, '--key', file())).toThrow('holds no public key');
    expect(() => run('verify', join(folder, 'none'))).toThrow('cannot be read (ENOENT)');
    expect(() => run('verify', join(folder, 'audit-key.pem'))).toThrow('no export of an audit');
    expect(() => run('verify')).toThrow('not how');
    expect(() => run('verify', path, '--kee', 'x')).toThrow(expect.objectContaining({ kind: 'invalid' }));
  });

  test('F4: whatever is changed in the memory, bot and offline verifier say the same', async () => {
    act(150);
    auditor.tick();
    act(20);
    auditor.close();
    storage[Symbol.dispose]();
    const whole = readFileSync(file());
    const changes = [
      `UPDATE audit SET outcome = 'refused' WHERE seq = 12`,
      `DELETE FROM audit WHERE seq = 99`,
      `DELETE FROM audit WHERE seq > 120`,
      `UPDATE audit_detail SET json = '{"n":7}' WHERE seq = 160`,
      `UPDATE audit SET seq = -5 WHERE seq = 30; UPDATE audit SET seq = 30 WHERE seq = 31; UPDATE audit SET seq = 31 WHERE seq = -5`,
      `DELETE FROM audit_detail WHERE seq < 50`,
      `UPDATE audit_heads SET note = replace(note, 'A', 'B')`,
    ];
    for (const change of changes) {
      for (const tail of ['-wal', '-shm']) rmSync(file() + tail, { force: true });
      writeFileSync(file(), whole);
      const sealed = readFileSync(join(folder, 'audit-heads'));
      begin();
      tamper(change);
      const inside = await auditor.lookWhole();
      const exported = await auditor.export(idOf('alice'));
      const outside = verifyExport(linesOf(exported.path)).verdict;
      expect(outside.ok, change).toBe(inside.verdict.ok);
      if (!inside.verdict.ok) expect(outside, change).toMatchObject({ seq: inside.verdict.seq });
      storage[Symbol.dispose]();
      writeFileSync(join(folder, 'audit-heads'), sealed);
      await clock.advance(1000);
    }
    begin();
  });

  test('F1: each flipped bit, cut or doubled line of an export is found', async () => {
    act(120);
    const { path } = await auditor.export(idOf('alice'));
    const bytes = readFileSync(path);
    const lines = bytes.toString().trimEnd().split('\n');
    const verdictOf = (content: string | Buffer): boolean => {
      writeFileSync(path, content);
      try {
        return verifyExport(linesOf(path), storage.auditKey.publicKey).verdict.ok;
      } catch {
        return false;
      }
    };
    expect(verdictOf(bytes)).toBe(true);
    // From the first seal on: of the head only what is pinned or counted matters.
    const rowsFrom = bytes.indexOf('\n', bytes.indexOf('{"note"')) + 1;
    for (let n = 0; n < 500; n += 1) {
      const flipped = Buffer.from(bytes);
      const at = rowsFrom + Math.floor(((n + 0.5) * (bytes.length - rowsFrom - 1)) / 500);
      flipped[at]! ^= 1 << (n % 8);
      expect(verdictOf(flipped), `byte ${at}, bit ${n % 8}`).toBe(false);
    }
    for (let n = 2; n < lines.length; n += 10) {
      expect(verdictOf(lines.toSpliced(n, 1).join('\n')), `without line ${n}`).toBe(false);
      expect(verdictOf(lines.toSpliced(n, 0, lines[n]!).join('\n')), `line ${n} twice`).toBe(false);
      expect(verdictOf(lines.slice(0, n).join('\n')), `cut before line ${n}`).toBe(false);
    }
  });
});
