import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseUserId } from '#domain/accounts.ts';
import type { NewInboxItem } from '#domain/inbox.ts';
import type { NewOutboxRow } from '#domain/outbox.ts';
import { parseRoomId } from '#domain/rooms.ts';
import { openRunStates } from '#domain/runs.ts';
import { openStorage, type Storage } from '#storage/open.ts';
import { someRun } from '#test/fixtures/some-run.ts';
import { type Figure, isMet, median, table } from './figures.ts';

const stored = 100_000;
const commands = 2000;
const block = 100;
const perChange = 1000;
const actor = parseUserId('@alice:example.org');
const room = parseRoomId('!ops:example.org');

const item = (key: string): NewInboxItem => ({
  source: 'matrix',
  key,
  site: 'default',
  room,
  thread: undefined,
  sender: actor,
  device: undefined,
  proof: 'clear',
  body: { kind: 'message', text: '!disable @mallory:example.org spam', links: [] },
  sentAt: 1,
  takenAt: 1,
});
const answer = (id: number): NewOutboxRow => ({
  id,
  site: 'default',
  about: { kind: 'run', id },
  lane: `c:$${id}`,
  collapse: undefined,
  room,
  thread: undefined,
  inReplyTo: undefined,
  replaces: undefined,
  content: { kind: 'message', rings: false, reply: { title: 'done' }, mentions: [], mark: { kind: 'reply' } },
  dueAt: 0,
});
const entry = (run: number, outcome: string) => ({
  at: run,
  actor,
  site: 'default',
  run,
  incident: undefined,
  act: 'disable',
  outcome,
  detail: { plan: { user: '@mallory:example.org' } },
});

/** A command from the sync to its end, with what the loops ask meanwhile; gives the milliseconds. */
function command({ ledger }: Storage, key: string): number {
  const begun = performance.now();
  const [taken] = ledger.take({ stream: 'sync', position: key, items: [item(key)], rooms: [] });
  ledger.newItems(64);
  const id = ledger.reserve('run');
  const run = someRun(id, { key, state: 'running', begunAt: Date.now() });
  const lock = { target: 'user:@mallory:example.org', run: id };
  const inbox = [{ id: taken!.id, state: 'done' as const, run: id }];
  ledger.commit({ at: 1, inbox, runs: [run], takeLocks: [lock], audit: [entry(id, 'begun')] });
  ledger.runsBy({ states: openRunStates });
  ledger.openPrompts();
  const out = answer(ledger.reserve('outbox'));
  const ended = { ...run, rev: 2, state: 'done' as const };
  ledger.commit({ at: 1, runs: [ended], releaseLocksOf: [id], outbox: [out], audit: [entry(id, 'done')] });
  for (const { id: due } of ledger.dueOutbox(Date.now(), 16)) {
    ledger.noteAttempt(due, 1);
    ledger.settleOutbox(due, 'sent', { eventId: `$out${due}` });
  }
  ledger.nextOutboxDue();
  return performance.now() - begun;
}

function fill({ ledger }: Storage): void {
  for (let from = 0; from < stored; from += perChange) {
    const items = Array.from({ length: perChange }, (_, n) => item(`$old${from + n}`));
    const taken = ledger.take({ stream: 'sync', position: `old${from}`, items, rooms: [] });
    const ids = taken.map(() => ledger.reserve('run'));
    const rows = ids.map(() => answer(ledger.reserve('outbox')));
    ledger.commit({
      at: 1,
      inbox: taken.map(({ id }, n) => ({ id, state: 'done' as const, run: ids[n]! })),
      runs: ids.map((id, n) => someRun(id, { key: taken[n]!.key, state: 'done', begunAt: 1, endedAt: 2 })),
      outbox: rows,
      audit: ids.flatMap((id) => [entry(id, 'begun'), entry(id, 'done')]),
    });
    for (const { id } of rows) ledger.settleOutbox(id, 'sent', { eventId: `$out${id}` });
  }
}

/** A command's way through the memory, with a hundred thousand runs in it and with none. */
export async function ledger(): Promise<Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), 'opsroom-bench-ledger-'));
  try {
    using full = openStorage({ file: join(folder, 'full', 'opsroom.db') });
    using empty = openStorage({ file: join(folder, 'empty', 'opsroom.db') });
    fill(full);
    const times = { full: [] as number[], empty: [] as number[] };
    for (let n = -block; n < commands; n += block) {
      // In turns, so that what else the machine does meets both.
      for (const [name, storage] of Object.entries({ full, empty }) as Array<['full' | 'empty', Storage]>) {
        for (let at = 0; at < block; at += 1) {
          const ms = command(storage, `$${n + at}`);
          if (n >= 0) times[name].push(ms);
        }
      }
    }
    const scan = performance.now();
    full.inspector.now('live');
    const liveMs = performance.now() - scan;
    return [
      {
        what: 'intake with 100,000 runs stored, of an empty ledger',
        unit: 'ms',
        ours: median(times.full),
        baseline: median(times.empty),
        goal: 1.1,
      },
      { what: 'check at the start with 100,000 runs, of 100 ms', unit: 'ms', ours: liveMs, baseline: 100 },
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  const figures = await ledger();
  process.stdout.write(`${table(figures)}\n`);
  process.exitCode = figures.every(isMet) ? 0 : 1;
}
