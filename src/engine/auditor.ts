import type { UserId } from '#domain/accounts.ts';
import type { AuditFile, AuditFilter, AuditLog, AuditLook } from '#domain/audit-log.ts';
import { type AuditVerdict, verifyAudit } from '#domain/audit.ts';
import { fingerprintOf, sealAudit, type SigningKey } from '#domain/audit-seal.ts';
import type { BotInfo } from '#domain/bot.ts';
import type { Clock, EpochMs } from '#domain/clock.ts';
import { asOpsError, OpsError } from '#domain/errors.ts';
import type { Ledger } from '#domain/ledger.ts';
import type { Log } from '#domain/log.ts';
import type { Reply } from '#domain/messages.ts';
import type { NewOutboxRow } from '#domain/outbox.ts';
import type { RoomId } from '#domain/rooms.ts';
import { say } from './speak.ts';

// What is behind the last seal in the room could be rewritten unseen: so much at most.
const mostRows = 100;
const mostMs = 600_000;
// A walk of so many takes 0.1 s; further back it is done apart.
const walkRows = 10_000;
const dayMs = 86_400_000;

export type AuditorOptions = {
  ledger: Ledger;
  clock: Clock;
  log: Log;
  bot: BotInfo;
  /** Where the seals are said. */
  room: RoomId;
  key: SigningKey;
  /** The seals outside of the database. */
  seals: { append(note: string): void; notes(): string[] };
  /** Walks the whole record apart from this loop. */
  walkWhole: () => Promise<AuditVerdict>;
  write: (of: { rows: number; at: EpochMs }) => Promise<string>;
};

/** Seals the audit at intervals, says so in the room, which is a witness for free, and looks whether it is whole. */
export class Auditor implements AuditLog {
  readonly #options: AuditorOptions;
  #sealed: number;
  #said: { seq: number; at: EpochMs; outbox: number } | undefined;
  #waitsSince: EpochMs | undefined;
  #good: { seq: number; hash: string } | undefined;

  constructor(options: AuditorOptions) {
    this.#options = options;
    const seals = options.ledger.auditSeals();
    this.#sealed = seals.at(-1)?.seq ?? 0;
    const said = seals.findLast(({ outbox }) => outbox !== undefined);
    if (said?.outbox === undefined) return;
    const first = options.ledger.outboxRow(said.outbox)?.replaces ?? said.outbox;
    this.#said = { seq: said.seq, at: options.ledger.outboxRow(first)?.dueAt ?? said.at, outbox: first };
  }

  find(filter: AuditFilter): ReturnType<AuditLog['find']> {
    return this.#options.ledger.audit(filter);
  }

  /** Called every second: seals what waits for it. */
  tick(): void {
    const { ledger, clock } = this.#options;
    const waiting = ledger.auditHead().seq - (this.#said?.seq ?? 0);
    if (waiting <= 0) return;
    const now = clock.now();
    this.#waitsSince ??= now;
    if (waiting >= mostRows || now - this.#waitsSince >= mostMs) this.#seal(now, true);
  }

  /** What the last rows before a stop were, for the next start to find; the room hears of it then. */
  close(): void {
    const { ledger, clock, log } = this.#options;
    if (ledger.auditHead().seq === this.#sealed) return;
    try {
      this.#seal(clock.now(), false);
    } catch (error) {
      log.warn({ why: asOpsError(error).message }, 'the end of the audit could not be sealed');
    }
  }

  #seal(at: EpochMs, aloud: boolean): void {
    const { ledger, key, seals } = this.#options;
    const head = { ...ledger.auditHead(), at };
    const note = sealAudit(head, key);
    const row = aloud ? this.#notice(head, note) : undefined;
    ledger.commit({ at, seals: [{ ...head, note, outbox: row?.id }], ...(row ? { outbox: [row] } : {}) });
    this.#sealed = head.seq;
    if (row) {
      this.#waitsSince = undefined;
      const first = row.replaces ?? row.id;
      this.#said = { seq: head.seq, at: row.replaces === undefined ? at : (this.#said?.at ?? at), outbox: first };
    }
    seals.append(note);
  }

  /** One message a day, edited: every edit stays in the room's history, and nobody is disturbed. */
  #notice(head: { seq: number; hash: string; at: EpochMs }, note: string): NewOutboxRow {
    const { ledger, bot, room, key } = this.#options;
    const sameDay = this.#said !== undefined && Math.floor(this.#said.at / dayMs) === Math.floor(head.at / dayMs);
    const said = sameDay && this.#said !== undefined ? ledger.outboxRow(this.#said.outbox) : undefined;
    const reply: Reply = {
      title: ['Audit sealed: ', { bold: String(head.seq) }, ' entries, head ', { code: head.hash.slice(0, 12) }, '.'],
      blocks: [
        {
          kind: 'details',
          summary: `Signed by ${fingerprintOf(key.publicKey)}`,
          blocks: [{ kind: 'code', text: note }],
        },
      ],
    };
    const address = {
      site: bot.site,
      where: { room, thread: undefined, event: undefined },
      lane: 'audit',
      about: { kind: 'notice' as const, id: 'audit-seal' },
      at: head.at,
    };
    const edits = said?.room === room && said.state !== 'failed' ? { replaces: said.id } : {};
    return say(ledger, address, reply, { kind: 'notice' }, { ...edits, collapse: 'audit-seal' });
  }

  look(): AuditLook {
    const { ledger, key } = this.#options;
    const head = ledger.auditHead().seq;
    const behind = Math.max(this.#good?.seq ?? 0, head - walkRows);
    const from = behind === this.#good?.seq ? this.#good : this.#row(behind);
    return this.#looked(
      verifyAudit(ledger.auditAll(from?.seq), { key, seals: this.#seals(from?.seq), from }),
      from?.seq,
    );
  }

  async lookWhole(): Promise<AuditLook> {
    return this.#looked(await this.#options.walkWhole(), 0);
  }

  #looked(verdict: AuditVerdict, since = 0): AuditLook {
    // Only a walk that reached back far enough may be built upon.
    if (verdict.ok && since <= (this.#good?.seq ?? 0)) this.#good = { seq: verdict.rows, hash: verdict.head };
    return { verdict, since, fingerprint: fingerprintOf(this.#options.key.publicKey) };
  }

  #row(seq: number): { seq: number; hash: string } | undefined {
    const [row] = seq > 0 ? this.#options.ledger.auditAll(seq - 1) : [];
    return row && { seq: row.seq, hash: row.hash };
  }

  #seals(after = 0): Array<{ note: string }> {
    const { ledger, seals } = this.#options;
    return [
      ...ledger.auditSeals(after),
      ...seals
        .notes()
        .slice(-walkRows / 10)
        .map((note) => ({ note })),
    ];
  }

  async export(by: UserId): Promise<AuditFile> {
    const { ledger, clock, bot, key, write } = this.#options;
    const at = clock.now();
    const entry = { at, actor: by, site: bot.site, run: undefined, incident: undefined };
    ledger.commit({ at, audit: [{ ...entry, act: 'audit export', outcome: 'done', detail: {} }] });
    const { verdict } = await this.lookWhole();
    // What was changed isn't signed anew: the file then shows it as the bot does.
    if (verdict.ok && ledger.auditHead().seq !== this.#sealed) this.#seal(clock.now(), false);
    const rows = verdict.ok ? this.#sealed : ledger.auditHead().seq;
    const path = await write({ rows, at }).catch((error: unknown) => {
      throw new OpsError('unavailable', 'The export could not be written; there is no file.', {
        hint: 'Look at the disk under dataDir.',
        cause: error,
      });
    });
    return { path, rows, fingerprint: fingerprintOf(key.publicKey), verdict };
  }
}
