import type Database from 'better-sqlite3';
import type { UserId } from '#domain/accounts.ts';
import { canonicalJson, type Json } from '#domain/canonical.ts';
import type { EpochMs } from '#domain/clock.ts';
import { OpsError } from '#domain/errors.ts';
import type { Incident, IncidentLogEntry, Page } from '#domain/incidents.ts';
import type { Change, Hold, IdKind, Ledger, Slot, TakenAway } from '#domain/ledger.ts';
import type { Prompt, Vote } from '#domain/prompts.ts';
import type { Run, RunState, Step } from '#domain/runs.ts';
import { Scrubber } from '#domain/scrubber.ts';
import { SqliteAudit } from './audit.ts';
import { SqliteInbox } from './inbox.ts';
import { SqliteOutbox } from './outbox.ts';
import { scrubBatch, scrubChange, scrubItem } from './scrub.ts';
import type { Tables } from './tables.ts';
import { unsynced } from './unsynced.ts';

const conflict = (what: string): OpsError => new OpsError('conflict', `${what} changed meanwhile; look again.`);

// As the index `runs_open` has it, word by word: of another list SQLite doesn't see that the index holds all of it.
const openRuns = `state IN ('taken', 'asking', 'waiting', 'running', 'stopping')`;
const indexed = new Set<RunState>(['taken', 'asking', 'waiting', 'running', 'stopping']);

/** The bot's memory: one writer, one transaction per change, on disk (`synchronous=FULL`) when a call returns. */
export class SqliteLedger implements Ledger {
  readonly #db: Database.Database;
  readonly #tables: Tables;
  readonly #inbox: SqliteInbox;
  readonly #outbox: SqliteOutbox;
  readonly #audit: SqliteAudit;
  readonly #nextId: Record<IdKind, number>;
  readonly #scrubber: Scrubber;
  #onOutbox: () => void = () => {};

  constructor(db: Database.Database, tables: Tables, instance: string, scrubber = new Scrubber()) {
    this.#scrubber = scrubber;
    this.#db = db;
    this.#tables = tables;
    this.#inbox = new SqliteInbox(db, tables);
    this.#outbox = new SqliteOutbox(db, tables, instance);
    this.#audit = new SqliteAudit(db);
    const next = (table: string): number =>
      1 + ((db.prepare(`SELECT max(id) FROM ${table}`).pluck().get() as number | null) ?? 0);
    this.#nextId = {
      run: next('runs'),
      prompt: next('prompts'),
      outbox: next('outbox'),
      incident: next('incidents'),
    };
  }

  /** Called after a commit that put something into the outbox. */
  onOutbox(wake: () => void): void {
    this.#onOutbox = wake;
  }

  reserve(kind: IdKind): number {
    const id = this.#nextId[kind];
    this.#nextId[kind] += 1;
    return id;
  }

  commit(change: Change): void {
    try {
      const clean = scrubChange(change, this.#scrubber);
      this.#db.transaction(() => this.#write(clean))();
    } catch (error) {
      this.#audit.rewind();
      if (error instanceof OpsError) throw error;
      const code = (error as { code?: unknown }).code;
      if (typeof code === 'string' && /^SQLITE_(FULL|IOERR|READONLY|CANTOPEN|BUSY)/.test(code)) {
        throw new OpsError('unavailable', 'The bot cannot write its own memory, so nothing was done.', {
          hint: 'Look at the disk under dataDir.',
          cause: error,
        });
      }
      throw error;
    }
    if (change.outbox && change.outbox.length > 0) this.#onOutbox();
  }

  #write(change: Change): void {
    const tables = this.#tables;
    for (const outcome of change.inbox ?? []) {
      if (!this.#inbox.settle(outcome)) throw conflict(`Inbox item ${outcome.id}`);
    }
    for (const run of change.runs ?? []) if (!tables.runs.advance(run)) throw conflict(`Run r${run.id}`);
    for (const step of change.steps ?? []) tables.steps.put(step);
    for (const run of change.releaseLocksOf ?? []) this.#db.prepare('DELETE FROM locks WHERE run = ?').run(run);
    for (const { target, run } of change.takeLocks ?? []) this.#takeLock(target, run);
    for (const prompt of change.prompts ?? []) {
      if (!tables.prompts.advance(prompt)) throw conflict(`The question ${prompt.code}`);
    }
    for (const vote of change.votes ?? []) tables.votes.put(vote);
    for (const incident of change.incidents ?? []) {
      if (!tables.incidents.advance(incident)) throw conflict(`Incident a${incident.id}`);
    }
    for (const entry of change.incidentLog ?? []) tables.incidentLog.insert(entry);
    for (const page of change.pages ?? []) tables.pages.insert(page);
    for (const hold of change.holds ?? []) tables.holds.put(hold);
    for (const taken of change.takenAway ?? []) tables.takenAway.put(taken);
    for (const slot of change.slots ?? []) tables.slots.put(slot);
    for (const { name, value } of change.switches ?? []) {
      if (value === undefined) this.#db.prepare('DELETE FROM switches WHERE name = ?').run(name);
      else {
        const sql = 'INSERT OR REPLACE INTO switches (name, value) VALUES (?, ?)';
        this.#db.prepare(sql).run(name, canonicalJson(value));
      }
    }
    for (const row of change.outbox ?? []) this.#outbox.put(row);
    for (const entry of change.audit ?? []) this.#audit.append(entry);
    for (const seal of change.seals ?? []) this.#audit.putSeal(seal);
  }

  #takeLock(target: string, run: number): void {
    const holder = this.lockHolder(target);
    if (holder !== undefined && holder !== run) {
      throw new OpsError('conflict', `Run r${holder} is working on ${target.replace(/^\w+:/, '')} right now.`, {
        hint: `!run r${holder} shows how far it is.`,
      });
    }
    this.#db.prepare('INSERT OR REPLACE INTO locks (target, run) VALUES (?, ?)').run(target, run);
  }

  position = (stream: string): string | undefined => this.#inbox.position(stream);
  positionAt: Ledger['positionAt'] = (stream) => this.#inbox.positionAt(stream);
  roomFacts: Ledger['roomFacts'] = (room) => this.#inbox.roomFacts(room);
  // Items and position go together: taken back, they come again. The answer's commit makes them last.
  take: Ledger['take'] = (batch) =>
    unsynced(
      this.#db,
      this.#db.transaction(() => {
        for (const { txn, event } of batch.said ?? []) this.#outbox.said(txn, event);
        return this.#inbox.take(scrubBatch(batch, this.#scrubber));
      }),
    );
  newItems: Ledger['newItems'] = (limit) => this.#inbox.newItems(limit);
  sealedItems: Ledger['sealedItems'] = () => this.#inbox.sealedItems();
  sealedHeads: Ledger['sealedHeads'] = () => this.#inbox.sealedHeads();
  unseal: Ledger['unseal'] = (id, item) => this.#inbox.unseal(id, item && scrubItem(item, this.#scrubber));
  inboxItem: Ledger['inboxItem'] = (key) => this.#inbox.byKey(key);
  inboxDepth = (): number => this.#inbox.depth();

  run(id: number): Run | undefined {
    return this.#tables.runs.first('WHERE id = ?', id);
  }

  runsBy(filter: {
    states?: readonly RunState[];
    actor?: UserId;
    key?: string;
    command?: string;
    undoOf?: number;
    limit?: number;
  }): Run[] {
    const { states, actor, key, command, undoOf, limit = 1000 } = filter;
    // Only what is asked for stands in the text, so that each question finds its index.
    const where = [
      ...(states === undefined ? [] : [`state IN (${states.map((state) => `'${state}'`).join(', ')})`]),
      ...(states?.every((state) => indexed.has(state)) ? [openRuns] : []),
      ...(actor === undefined ? [] : ['actor = @actor']),
      ...(key === undefined ? [] : ['key = @key']),
      ...(command === undefined ? [] : ['command = @command']),
      ...(undoOf === undefined ? [] : ['undo_of = @undoOf']),
    ];
    const asked = Object.fromEntries(
      Object.entries({ actor, key, command, undoOf, limit }).filter(([, value]) => value !== undefined),
    );
    return this.#tables.runs.all(`WHERE ${where.join(' AND ') || '1'} ORDER BY id DESC LIMIT @limit`, asked);
  }

  begunSince(at: EpochMs): Array<{ actor: UserId; command: string }> {
    const sql = 'SELECT actor, command FROM runs WHERE begun_at > ?';
    return this.#db.prepare(sql).all(at) as Array<{ actor: UserId; command: string }>;
  }

  steps(run: number): Step[] {
    return this.#tables.steps.all('WHERE run = ? ORDER BY begun_at, key', run);
  }

  lockHolder(target: string): number | undefined {
    return this.#db.prepare('SELECT run FROM locks WHERE target = ?').pluck().get(target) as number | undefined;
  }

  prompt(filter: { id?: number; code?: string; message?: number; run?: number }): Prompt | undefined {
    const { prompts } = this.#tables;
    if (filter.id !== undefined) return prompts.first('WHERE id = ?', filter.id);
    if (filter.code !== undefined) return prompts.first('WHERE code = ? ORDER BY id DESC LIMIT 1', filter.code);
    if (filter.message !== undefined) return prompts.first('WHERE message = ?', filter.message);
    return prompts.first('WHERE run = ? ORDER BY id DESC LIMIT 1', filter.run ?? -1);
  }

  openPrompts(): Prompt[] {
    return this.#tables.prompts.all(`WHERE state = 'open' ORDER BY id`);
  }

  votes(prompt: number): Vote[] {
    return this.#tables.votes.all('WHERE prompt = ? ORDER BY at', prompt);
  }

  dueOutbox: Ledger['dueOutbox'] = (now, limit) => this.#outbox.due(now, limit);
  nextOutboxDue = (): EpochMs | undefined => this.#outbox.nextDue();
  outboxRow: Ledger['outboxRow'] = (id) => this.#outbox.row(id);
  outboxByEvent: Ledger['outboxByEvent'] = (event) => this.#outbox.byEvent(event);
  outboxAbout: Ledger['outboxAbout'] = (about) => this.#outbox.about(about);
  // Taken back, the row is sent again with the same transaction id, which is the same event.
  noteAttempt = (id: number, at: EpochMs): void => unsynced(this.#db, () => this.#outbox.noteAttempt(id, at));
  settleOutbox: Ledger['settleOutbox'] = (id, state, set) => {
    if (state === 'sent') unsynced(this.#db, () => this.#outbox.settle(id, state, set));
    else this.#outbox.settle(id, state, this.#scrubber.value(set));
  };
  hastenOutbox: Ledger['hastenOutbox'] = (now) => this.#outbox.hasten(now);
  outboxDepth: Ledger['outboxDepth'] = () => this.#outbox.depth();
  stuckPages: Ledger['stuckPages'] = (before) => this.#outbox.stuckPages(before);
  missedPages: Ledger['missedPages'] = () => this.#outbox.missed();
  noteFallback: Ledger['noteFallback'] = (ids, at) => this.#outbox.noteFallback(ids, at);

  incident(id: number): Incident | undefined {
    return this.#tables.incidents.first('WHERE id = ?', id);
  }

  openIncidentByKey(site: string, key: string): Incident | undefined {
    return this.#tables.incidents.first(`WHERE site = ? AND key = ? AND state <> 'closed'`, site, key);
  }

  lastIncidentByKey(site: string, key: string): Incident | undefined {
    return this.#tables.incidents.first('WHERE site = ? AND key = ? ORDER BY id DESC LIMIT 1', site, key);
  }

  incidents(filter: {
    open?: boolean;
    group?: string;
    unsaid?: boolean;
    message?: number;
    limit?: number;
  }): Incident[] {
    const { incidents } = this.#tables;
    const limit = filter.limit ?? 100_000;
    if (filter.unsaid) return incidents.all('WHERE unsaid = 1 ORDER BY id LIMIT ?', limit);
    if (filter.message !== undefined)
      return incidents.all('WHERE message = ? ORDER BY id LIMIT ?', filter.message, limit);
    const open = filter.open ? `AND state <> 'closed'` : '';
    if (filter.group !== undefined) {
      return incidents.all(`WHERE "group" = ? ${open} ORDER BY id DESC LIMIT ?`, filter.group, limit);
    }
    return incidents.all(`WHERE 1 ${open} ORDER BY id DESC LIMIT ?`, limit);
  }

  incidentLog(id: number): IncidentLogEntry[] {
    return this.#tables.incidentLog.all('WHERE incident = ? ORDER BY at, rowid', id);
  }

  pagesOf(incident: number): Page[] {
    return this.#tables.pages.all('WHERE incident = ? ORDER BY at, rowid', incident);
  }

  holds(now: EpochMs): Hold[] {
    return this.#tables.holds.all('WHERE ended_at IS NULL AND until > ?', now);
  }

  takenAt(key: string): EpochMs | undefined {
    return this.#inbox.byKey(key)?.takenAt;
  }

  trim(before: EpochMs): number {
    const forget = (sql: string): number => this.#db.prepare(sql).run(before).changes;
    return this.#db.transaction(
      () =>
        forget(`DELETE FROM inbox WHERE state IN ('done', 'ignored', 'sealed') AND taken_at < ?`) +
        forget(`DELETE FROM outbox WHERE state <> 'pending' AND due_at < ?`) +
        forget('DELETE FROM slots WHERE due_at < ?') +
        forget('DELETE FROM holds WHERE until < ?'),
    )();
  }

  takenAway(site: string, user: UserId): TakenAway | undefined {
    const tail = 'WHERE site = ? AND "user" = ? AND returned_at IS NULL ORDER BY at DESC LIMIT 1';
    return this.#tables.takenAway.first(tail, site, user);
  }

  slots(job: string, since: EpochMs): Slot[] {
    return this.#tables.slots.all('WHERE job = ? AND due_at >= ? ORDER BY due_at', job, since);
  }

  switch(name: string): Json | undefined {
    const text = this.#db.prepare('SELECT value FROM switches WHERE name = ?').pluck().get(name);
    return text === undefined ? undefined : (JSON.parse(text as string) as Json);
  }

  auditHead: Ledger['auditHead'] = () => this.#audit.head();
  audit: Ledger['audit'] = (filter) => this.#audit.find(filter);
  auditAll: Ledger['auditAll'] = (after = 0) => this.#audit.all(after);
  auditSeals: Ledger['auditSeals'] = (after = 0) => this.#audit.seals(after);
}
