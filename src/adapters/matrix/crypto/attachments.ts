import { createCipheriv, createDecipheriv, createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { OpsError } from '#domain/errors.ts';

/** What opens an uploaded file; it stands inside the encrypted event that names the file. */
export type FileKey = {
  v: 'v2';
  key: { kty: 'oct'; key_ops: ['encrypt', 'decrypt']; alg: 'A256CTR'; k: string; ext: true };
  iv: string;
  hashes: { sha256: string };
};

const unpadded = (bytes: Buffer): string => bytes.toString('base64').replaceAll('=', '');
const hashOf = (bytes: Buffer): Buffer => createHash('sha256').update(bytes).digest();

/** As the Matrix specification has it: AES-256-CTR, a key for each file, the counter's lower half zero. */
export function sealFile(content: Buffer): { sealed: Buffer; file: FileKey } {
  const key = randomBytes(32);
  const iv = Buffer.concat([randomBytes(8), Buffer.alloc(8)]);
  const cipher = createCipheriv('aes-256-ctr', key, iv);
  const sealed = Buffer.concat([cipher.update(content), cipher.final()]);
  return {
    sealed,
    file: {
      v: 'v2',
      key: { kty: 'oct', key_ops: ['encrypt', 'decrypt'], alg: 'A256CTR', k: key.toString('base64url'), ext: true },
      iv: unpadded(iv),
      hashes: { sha256: unpadded(hashOf(sealed)) },
    },
  };
}

/** Throws `invalid` when it is not what was uploaded: CTR alone would open anything. */
export function openFile(sealed: Buffer, file: FileKey): Buffer {
  const expected = Buffer.from(file.hashes.sha256, 'base64');
  const found = hashOf(sealed);
  if (expected.length !== found.length || !timingSafeEqual(expected, found))
    throw new OpsError('invalid', 'The file is not what was uploaded.');
  const cipher = createDecipheriv('aes-256-ctr', Buffer.from(file.key.k, 'base64url'), Buffer.from(file.iv, 'base64'));
  return Buffer.concat([cipher.update(sealed), cipher.final()]);
}
