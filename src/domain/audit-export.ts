import { createPublicKey, type KeyObject } from 'node:crypto';
import type { UserId } from './accounts.ts';
import { type AuditLink, type AuditVerdict, verifyAudit } from './audit.ts';
import { fingerprintOf, type SealKey } from './audit-seal.ts';
import type { EpochMs } from './clock.ts';
import { OpsError } from './errors.ts';

// JSON lines: what it is, the seals, the rows from the first on.
const format = 'opsroom-audit';
type Head = {
  format: typeof format;
  version: 1;
  at: EpochMs;
  rows: number;
  seals: number;
  origin: string;
  publicKey: string;
};

export function exportHead(of: { at: EpochMs; rows: number; seals: number; key: SealKey }): string {
  const { at, rows, seals, key } = of;
  const publicKey = key.publicKey.export({ type: 'spki', format: 'pem' });
  const head: Head = { format, version: 1, at, rows, seals, origin: key.origin, publicKey };
  return JSON.stringify(head);
}
export const exportSeal = (note: string): string => JSON.stringify({ note });
export function exportRow(link: AuditLink): string {
  const { seq, at, actor, site, run, incident, act, outcome, detailHash, prev, hash, text } = link;
  return JSON.stringify([
    seq,
    at,
    actor,
    site,
    run ?? null,
    incident ?? null,
    act,
    outcome,
    detailHash,
    prev,
    hash,
    text ?? null,
  ]);
}

export type ExportVerdict = { verdict: AuditVerdict; fingerprint: string; exportedAt: EpochMs };

/**
 * Verifies an export by its lines alone. Without `pinned` the key is the one in the file: then the fingerprint has to be
 * compared. Throws `invalid` for what isn't an export.
 */
export function verifyExport(lines: Iterable<string>, pinned?: KeyObject): ExportVerdict {
  const each = lines[Symbol.iterator]();
  const head = readHead(each.next().value);
  const publicKey = pinned ?? readKey(head.publicKey);
  const key = { origin: `opsroom/${fingerprintOf(publicKey)}`, publicKey };
  const about = { fingerprint: fingerprintOf(publicKey), exportedAt: head.at };
  const seals: Array<{ note: string }> = [];
  for (let n = 0; n < head.seals; n += 1) {
    const note = parse(each.next().value);
    if (note === null || typeof note !== 'object' || !('note' in note) || typeof note.note !== 'string') {
      return { ...about, verdict: { ok: false, seq: 0, why: 'one of its seals cannot be read' } };
    }
    seals.push({ note: note.note });
  }
  let broken: number | undefined;
  function* links(): Generator<AuditLink> {
    for (let count = 1; ; count += 1) {
      const { value: line, done } = each.next();
      if (done) return;
      const link = readRow(line);
      if (link === undefined) {
        broken = count;
        return;
      }
      yield link;
    }
  }
  const verdict = verifyAudit(links(), { seals, key });
  if (broken !== undefined && (verdict.ok || verdict.seq >= broken)) {
    return { ...about, verdict: { ok: false, seq: broken, why: 'its line cannot be read' } };
  }
  if (verdict.ok && verdict.rows !== head.rows) {
    const seq = Math.min(verdict.rows, head.rows) + 1;
    return { ...about, verdict: { ok: false, seq, why: `the file was made of ${head.rows} rows` } };
  }
  // An export ends in a seal: without one, rows and hashes could all have been made anew.
  if (verdict.ok && verdict.sealedTo !== verdict.rows) {
    return { ...about, verdict: { ok: false, seq: verdict.sealedTo + 1, why: 'no seal covers it' } };
  }
  return { ...about, verdict };
}

function parse(line: unknown): unknown {
  try {
    return JSON.parse(String(line));
  } catch {
    return undefined;
  }
}

function readHead(line: unknown): Head {
  const head = parse(line) as Partial<Head> | undefined;
  if (head === null || typeof head !== 'object' || head.format !== format || head.version !== 1) {
    throw new OpsError('invalid', 'This is no export of an audit.', { hint: '!audit export in the room makes one.' });
  }
  return head as Head;
}

function readKey(text: unknown): KeyObject {
  try {
    return createPublicKey(String(text));
  } catch (error) {
    throw new OpsError('invalid', 'The public key in the file cannot be read.', {
      hint: 'Name the key with --key FILE; the bot keeps it as audit-key.pub.pem.',
      cause: error,
    });
  }
}

function readRow(line: unknown): AuditLink | undefined {
  const row = parse(line);
  if (!Array.isArray(row) || row.length !== 12) return undefined;
  const [seq, at, actor, site, run, incident, act, outcome, detailHash, prev, hash, text] = row as Array<
    string | number | null
  >;
  return {
    seq: Number(seq),
    at: Number(at),
    actor: String(actor) as UserId,
    site: String(site),
    run: run === null ? undefined : Number(run),
    incident: incident === null ? undefined : Number(incident),
    act: String(act),
    outcome: String(outcome),
    detailHash: String(detailHash),
    prev: String(prev),
    hash: String(hash),
    text: text === null ? undefined : String(text),
  };
}
