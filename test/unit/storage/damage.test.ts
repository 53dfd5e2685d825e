import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sealAudit } from '#domain/audit-seal.ts';
import type { InboxBody } from '#domain/inbox.ts';
import { damageWords } from '#storage/damage.ts';
import { openStorage, type Storage } from '#storage/open.ts';
import { idOf, opsRoom } from '#test/fakes/house.ts';
import { row } from '#test/fixtures/outbox-rows.ts';
import { someRun } from '#test/fixtures/some-run.ts';

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'opsroom-damage-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));
const file = (): string => join(folder, 'opsroom.db');

/** As much of everything as fills some pages. */
function fill({ ledger, operators, auditKey }: Storage, count: number): void {
  for (let n = 1; n <= count; n += 1) {
    const run = someRun(n, { state: n % 5 === 0 ? 'running' : 'done' });
    const at = 1000 + n;
    const item = {
      site: 'default',
      room: opsRoom,
      thread: undefined,
      sender: idOf('alice'),
      device: undefined,
    } as const;
    const body: InboxBody = { kind: 'message', text: `!disable @user${n} spam and more`, links: [] };
    ledger.take({
      stream: 'sync',
      position: `s${n}`,
      items: [{ ...item, source: 'matrix', key: `$${n}`, proof: 'clear', body, sentAt: at, takenAt: at }],
      rooms: [],
    });
    const step = { run: n, key: 'lock', attempt: 1, state: 'done', cursor: 0, total: undefined } as const;
    ledger.commit({
      at,
      runs: [run],
      steps: [{ ...step, kept: { was: 'unlocked' }, error: undefined, begunAt: at, endedAt: at }],
      votes: [{ prompt: n, actor: idOf('bob'), verdict: 'approve', proof: 'reaction', at }],
      outbox: [row(ledger.reserve('outbox'))],
      holds: [
        {
          site: 'default',
          user: idOf(`u${n}`),
          kind: 'call-ban',
          identities: [],
          until: at,
          run: n,
          endedAt: undefined,
        },
      ],
      switches: [{ name: `s${n}`, value: { by: 'alice', since: at } }],
      audit: [
        {
          at,
          actor: idOf('alice'),
          site: 'default',
          run: n,
          incident: undefined,
          act: 'disable',
          outcome: 'done',
          detail: { n },
        },
      ],
    });
    operators.add({ user: idOf(`p${n}`), role: 'viewer', addedBy: idOf('alice'), at });
  }
  const head = { ...ledger.auditHead(), at: 1 };
  ledger.commit({ at: 1, seals: [{ ...head, note: sealAudit(head, auditKey), outbox: undefined }] });
}

/** The places of rows in the file: the contents of the leaves of tables, not of indexes, not free space. */
function rowBytes(): Array<{ from: number; to: number }> {
  const db = new Database(file());
  db.pragma('journal_mode = DELETE');
  db.exec('VACUUM');
  const size = db.pragma('page_size', { simple: true }) as number;
  const sql = `SELECT pageno FROM dbstat WHERE pagetype = 'leaf' AND name IN
    (SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'readings')`;
  const pages = db.prepare(sql).pluck().all() as number[];
  db.close();
  const bytes = readFileSync(file());
  return pages.map((page) => {
    const start = (page - 1) * size;
    return { from: start + bytes.readUInt16BE(start + 5), to: start + size };
  });
}

describe('what was not written by the bot', () => {
  test('I1: of 300 flipped bits in rows at least 99 % are found at the start', () => {
    {
      using storage = openStorage({ file: file() });
      fill(storage, 60);
      expect(storage.inspector.now('all')).toEqual({ structure: [], rows: [], audit: undefined });
    }
    const places = rowBytes();
    const total = places.reduce((sum, { from, to }) => sum + to - from, 0);
    const whole = join(folder, 'whole.db');
    copyFileSync(file(), whole);
    const bytes = readFileSync(whole);
    const flips = 300;
    const missed: number[] = [];
    // The same places every time: a stride that meets every page and every kind of cell.
    for (let n = 0; n < flips; n += 1) {
      let at = Math.floor((n + 0.5) * (total / flips));
      const place = places.find(({ from, to }) => (at < to - from ? true : void (at -= to - from)))!;
      const offset = place.from + at;
      const flipped = Buffer.from(bytes);
      flipped[offset]! ^= 1 << (n % 8);
      writeFileSync(file(), flipped);
      if (!isFound()) missed.push(offset);
    }
    expect(missed.length, `missed at ${missed.join(', ')}`).toBeLessThanOrEqual(flips / 100);
  });

  /** Refused at the opening, or found by the check of the start. */
  function isFound(): boolean {
    try {
      using storage = openStorage({ file: file() });
      return damageWords(storage.inspector.now('all')).length > 0;
    } catch {
      return true;
    }
  }

  test('I1: a row that another program wrote or changed is found, also among the live ones only', () => {
    {
      using storage = openStorage({ file: file() });
      fill(storage, 10);
    }
    const change = (sql: string): void => {
      const db = new Database(file());
      db.exec(sql);
      db.close();
    };
    change(`UPDATE operators SET role = 'owner' WHERE "user" = '${idOf('p3')}'`);
    change(`UPDATE runs SET plan = '{}' WHERE state = 'done' AND id = 3`);
    change(`INSERT INTO switches (name, value) VALUES ('paused', 'null')`);
    using storage = openStorage({ file: file() });
    expect(damageWords(storage.inspector.now('live'))).toEqual([
      '1 row of operators are not what was written',
      '1 row of switches are not what was written',
    ]);
    expect(storage.inspector.now('all').rows.map(({ table }) => table)).toEqual(['operators', 'runs', 'switches']);
  });

  test('F1: a cut or exchanged record shows by the seals beside the database', () => {
    {
      using storage = openStorage({ file: file() });
      fill(storage, 10);
      const seal = storage.ledger.auditSeals().at(-1)!;
      storage.seals.append(seal.note);
      expect(storage.inspector.now('live').audit).toBeUndefined();
    }
    const db = new Database(file());
    db.exec('DELETE FROM audit_heads; DELETE FROM audit WHERE seq > 7');
    db.close();
    {
      using storage = openStorage({ file: file() });
      expect(storage.inspector.now('live').audit).toMatchObject({ seq: 8 });
      expect(damageWords(storage.inspector.now('live'))).toEqual([
        'the audit record was changed: entry 8: the record ends before it, and 10 rows were sealed',
      ]);
    }
    for (const name of ['opsroom.db', 'opsroom.db-wal', 'opsroom.db-shm']) rmSync(join(folder, name), { force: true });
    using anew = openStorage({ file: file() });
    expect(anew.inspector.now('live').audit).toMatchObject({ seq: 1 });
  });

  test('F4: erased detail is no damage, another detail is', () => {
    using storage = openStorage({ file: file() });
    fill(storage, 10);
    const db = new Database(file());
    db.exec('DELETE FROM audit_detail WHERE seq IN (3, 4)');
    expect(storage.inspector.now('deep').audit).toBeUndefined();
    db.exec(`UPDATE audit_detail SET json = '{}' WHERE seq = 5`);
    db.close();
    expect(storage.inspector.now('deep').audit).toEqual({ ok: false, seq: 5, why: 'its detail was changed' });
  });
});

describe('files', () => {
  test('G3: database, its companions, key and seals are for nobody else', () => {
    using storage = openStorage({ file: file() });
    fill(storage, 1);
    storage.seals.append('x');
    for (const name of ['opsroom.db', 'opsroom.db-wal', 'opsroom.db-shm', 'audit-key.pem', 'audit-heads']) {
      expect(statSync(join(folder, name)).mode & 0o777, name).toBe(0o600);
    }
  });

  test('G3: a key that others may read is refused; the same key is found again', () => {
    let origin: string;
    {
      using storage = openStorage({ file: file() });
      origin = storage.auditKey.origin;
    }
    {
      using storage = openStorage({ file: file() });
      expect(storage.auditKey.origin).toBe(origin);
    }
    const key = join(folder, 'audit-key.pem');
    const text = readFileSync(key);
    rmSync(key);
    writeFileSync(key, text, { mode: 0o640 });
    expect(() => openStorage({ file: file() })).toThrow(expect.objectContaining({ kind: 'misconfigured' }));
  });

  test('the file of seals gives back what was put in, and stays small', () => {
    using storage = openStorage({ file: file() });
    const notes = [1, 2, 3].map((seq) => sealAudit({ seq, hash: 'ab'.repeat(32), at: seq }, storage.auditKey));
    for (const note of notes) storage.seals.append(note);
    expect(storage.seals.notes()).toEqual(notes);
    for (let n = 0; n < 4500; n += 1) storage.seals.append(notes[2]!);
    expect(statSync(join(folder, 'audit-heads')).size).toBeLessThan(1.1 * 1024 * 1024);
    expect(storage.seals.notes().at(-1)).toBe(notes[2]);
  });
});
