import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { NewOutboxRow, OutboxRow } from '#domain/outbox.ts';
import { openStorage, type Storage } from '#storage/open.ts';
import { message, row } from '#test/fixtures/outbox-rows.ts';

let storage: Storage;
beforeEach(() => void (storage = openStorage({ file: ':memory:' })));
afterEach(() => storage[Symbol.dispose]());

const put = (...rows: NewOutboxRow[]): void => storage.ledger.commit({ at: 0, outbox: rows });
const text = (found: OutboxRow | undefined): unknown =>
  found?.content.kind === 'message' ? found.content.reply.title : found?.content;
const due = (now = 0, limit = 100): number[] => storage.ledger.dueOutbox(now, limit).map(({ id }) => id);
const tried = (id: number, set: Parameters<Storage['ledger']['settleOutbox']>[2] = {}): void => {
  storage.ledger.noteAttempt(id, 1);
  storage.ledger.settleOutbox(id, 'pending', set);
};
const pending = (): number => storage.ledger.outboxDepth().pending;

describe('what is pending', () => {
  test('the oldest of each lane, pages first, when it is due', () => {
    put(
      row(1, { lane: 'a' }),
      row(2, { lane: 'a' }),
      row(3, { lane: 'b' }),
      row(4, { lane: 'page:a1' }),
      row(5, { lane: 'c', dueAt: 9 }),
    );
    expect(due()).toEqual([4, 1, 3]);
    expect(due(9)).toEqual([4, 1, 3, 5]);
    expect(due(9, 2)).toEqual([4, 1]);
    storage.ledger.settleOutbox(1, 'sent', { eventId: '$1' });
    expect(due()).toEqual([4, 2, 3]);
  });

  test('the head of a lane that is not due holds those behind it', () => {
    put(row(1, { dueAt: 50 }), row(2, { dueAt: 0 }));
    expect(due(10)).toEqual([]);
    expect(storage.ledger.nextOutboxDue()).toBe(50);
  });

  test('how much waits, and since when', () => {
    expect(storage.ledger.outboxDepth()).toEqual({ pending: 0, oldestAt: undefined });
    expect(storage.ledger.nextOutboxDue()).toBeUndefined();
    put(row(1, { dueAt: 5 }), row(2, { lane: 'b', dueAt: 3 }));
    expect(storage.ledger.outboxDepth()).toEqual({ pending: 2, oldestAt: 3 });
  });

  test('what was sent is found by its event', () => {
    put(row(1));
    storage.ledger.settleOutbox(1, 'sent', { eventId: '$x' });
    expect(storage.ledger.outboxByEvent('$x')?.id).toBe(1);
    expect(storage.ledger.outboxByEvent('$y')).toBeUndefined();
  });

  test('transaction ids are of this memory and of the row', () => {
    put(row(1), row(2));
    const txns = [1, 2].map((id) => storage.ledger.outboxRow(id)?.txn ?? '');
    expect(txns[0]).toMatch(/^[0-9a-f]{12}\.1$/);
    expect(new Set(txns).size).toBe(2);
    using other = openStorage({ file: ':memory:' });
    other.ledger.commit({ at: 0, outbox: [row(1)] });
    expect(other.ledger.outboxRow(1)?.txn).not.toBe(txns[0]);
  });
});

describe('overwriting', () => {
  test('the same collapse in the same lane costs one row', () => {
    put(row(1, { content: 'old', collapse: 'p', dueAt: 9 }), row(2, { content: 'new', collapse: 'p', dueAt: 4 }));
    expect(text(storage.ledger.outboxRow(1))).toBe('new');
    expect(storage.ledger.outboxRow(1)?.dueAt).toBe(4);
    expect(storage.ledger.outboxRow(2)).toBeUndefined();
    put(row(3, { content: 'elsewhere', collapse: 'p', lane: 'other' }));
    expect(pending()).toBe(2);
  });

  test('an edit of what is still pending overwrites it', () => {
    put(row(1, { content: 'old' }));
    put(row(2, { content: 'new', replaces: 1 }));
    expect(pending()).toBe(1);
    expect(text(storage.ledger.outboxRow(1))).toBe('new');
  });

  test.each<[string, () => void]>([
    ['sent', () => storage.ledger.settleOutbox(1, 'sent', { eventId: '$1' })],
    ['being tried', () => storage.ledger.noteAttempt(1, 1)],
    ['tried, and perhaps there', () => tried(1)],
    [
      'perhaps there, and refused later',
      () => {
        tried(1);
        tried(1, { refused: true });
      },
    ],
    ['failed', () => storage.ledger.settleOutbox(1, 'failed', { error: 'x' })],
  ])('never what was %s', (_, happened) => {
    put(row(1, { content: 'old', collapse: 'p' }));
    happened();
    put(row(2, { content: 'new', replaces: 1, collapse: 'p' }));
    expect(text(storage.ledger.outboxRow(1))).toBe('old');
    expect(text(storage.ledger.outboxRow(2))).toBe('new');
    expect(storage.ledger.outboxRow(2)?.replaces).toBe(1);
  });

  test('what was certainly refused may be overwritten', () => {
    put(row(1, { content: 'old' }));
    tried(1, { refused: true, dueAt: 5 });
    expect(storage.ledger.outboxRow(1)).toMatchObject({ attempts: 0, dueAt: 5 });
    put(row(2, { content: 'new', replaces: 1, dueAt: 9 }));
    expect(text(storage.ledger.outboxRow(1))).toBe('new');
    expect(storage.ledger.outboxRow(1)?.dueAt).toBe(5);
  });

  test('a reaction never overwrites a message', () => {
    put(
      row(1, { collapse: 'p' }),
      row(2, { collapse: 'p', content: { kind: 'reaction', emoji: '⏳', on: { event: '$x' } } }),
    );
    expect(pending()).toBe(2);
  });

  test('any mix of edits and sends: the last text is what is said last, and nothing sent is said again', () => {
    const step = fc.constantFrom('edit', 'sent', 'lost', 'refused');
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        using fresh = openStorage({ file: ':memory:' });
        const { ledger } = fresh;
        // The room: what each transaction became. An edit shows its text on the first.
        const shown = new Map<string, string>();
        let next = 1;
        const say = (): void => {
          ledger.commit({
            at: 0,
            outbox: [
              { ...row(next), content: message(`text ${next}`), collapse: 'p', replaces: next === 1 ? undefined : 1 },
            ],
          });
          next += 1;
        };
        const sendHead = (outcome: string): void => {
          const [head] = ledger.dueOutbox(0, 1);
          if (!head) return;
          ledger.noteAttempt(head.id, 1);
          if (outcome !== 'refused' && !shown.has(head.txn)) shown.set(head.txn, String(text(head)));
          if (outcome === 'sent') ledger.settleOutbox(head.id, 'sent', { eventId: `$${head.id}` });
          else ledger.settleOutbox(head.id, 'pending', { refused: outcome === 'refused' });
        };
        say();
        for (const outcome of steps) {
          if (outcome === 'edit') say();
          else sendHead(outcome);
        }
        while (ledger.outboxDepth().pending > 0) sendHead('sent');
        expect([...shown.values()].at(-1)).toBe(`text ${next - 1}`);
        expect(new Set(shown.values()).size).toBe(shown.size);
      }),
      { numRuns: 60 },
    );
  });
});
