import { createHash, type KeyObject, sign, verify } from 'node:crypto';
import type { EpochMs } from './clock.ts';

/**
 * A signed head of the audit: so many rows, and the hash of the last. The note is a checkpoint in the format of C2SP
 * (tlog-checkpoint, signed-note), so that other tools read it; the hash is the chain's and not a tree's.
 */
export type AuditSeal = {
  seq: number;
  hash: string;
  at: EpochMs;
  note: string;
  /** The outbox row that says it in the room; undefined when it was never said. */
  outbox: number | undefined;
};

export type SealKey = { origin: string; publicKey: KeyObject };
export type SigningKey = SealKey & { privateKey: KeyObject };

const ed25519 = 1;
// An Ed25519 public key in DER is 12 bytes of header and the 32 of the key.
const rawKey = (publicKey: KeyObject): Buffer => publicKey.export({ type: 'spki', format: 'der' }).subarray(-32);
const idOf = ({ origin, publicKey }: SealKey): Buffer =>
  createHash('sha256')
    .update(`${origin}\n`)
    .update(Buffer.of(ed25519))
    .update(rawKey(publicKey))
    .digest()
    .subarray(0, 4);

/** What a person compares: the same in the room, in the export and beside the bot. */
export function fingerprintOf(publicKey: KeyObject): string {
  const hex = createHash('sha256').update(rawKey(publicKey)).digest('hex').slice(0, 16);
  return hex.replaceAll(/(.{4})(?!$)/g, '$1-');
}

/** Signs that the chain has `seq` rows and ends in `hash`. */
export function sealAudit(head: { seq: number; hash: string; at: EpochMs }, key: SigningKey): string {
  const hash = Buffer.from(head.hash, 'hex').toString('base64');
  const text = `${key.origin}\n${head.seq}\n${hash}\n${new Date(head.at).toISOString()}\n`;
  const signed = Buffer.concat([idOf(key), sign(null, Buffer.from(text), key.privateKey)]);
  return `${text}\n— ${key.origin} ${signed.toString('base64')}\n`;
}

/** What a note says, when this key signed it. */
export function openSeal(note: string, key: SealKey): { seq: number; hash: string; at: EpochMs } | undefined {
  const match = /^((.+)\n(\d{1,15})\n([A-Za-z0-9+/]{43}=)\n(\S+)\n)\n— (.+) ([A-Za-z0-9+/]+=*)\n$/.exec(note);
  if (!match) return undefined;
  const [, text = '', origin, seq, hash = '', at = '', signer, signature = ''] = match;
  if (origin !== key.origin || signer !== key.origin) return undefined;
  const bytes = Buffer.from(signature, 'base64');
  if (!bytes.subarray(0, 4).equals(idOf(key))) return undefined;
  if (!verify(null, Buffer.from(text), key.publicKey, bytes.subarray(4))) return undefined;
  return { seq: Number(seq), hash: Buffer.from(hash, 'base64').toString('hex'), at: Date.parse(at) };
}
