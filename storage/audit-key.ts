import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fingerprintOf, type SealKey, type SigningKey } from '#domain/audit-seal.ts';
import { OpsError } from '#domain/errors.ts';

const keyFile = 'audit-key.pem';
const publicFile = 'audit-key.pub.pem';

/** A key's notes name it by its fingerprint, so that one public key is all that a verifier needs. */
export const sealKeyOf = (publicKey: KeyObject): SealKey => ({
  origin: `opsroom/${fingerprintOf(publicKey)}`,
  publicKey,
});

export function newAuditKey(): SigningKey {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return { ...sealKeyOf(publicKey), privateKey };
}

const isMissing = (error: unknown): boolean => (error as { code?: unknown }).code === 'ENOENT';

/** The key that seals the audit, made at the first start. Throws `misconfigured` when others may read it. */
export function openAuditKey(folder: string): SigningKey {
  const file = join(folder, keyFile);
  try {
    const mode = statSync(file).mode & 0o777;
    if ((mode & 0o077) !== 0) {
      throw new OpsError('misconfigured', `${file} can be read by others (mode ${mode.toString(8)}).`, {
        hint: `chmod 600 ${file}`,
      });
    }
    return readKey(readFileSync(file, 'utf8'), file);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  const key = newAuditKey();
  writeFileSync(file, key.privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600, flag: 'wx' });
  writeFileSync(join(folder, publicFile), key.publicKey.export({ type: 'spki', format: 'pem' }), { mode: 0o600 });
  return key;
}

function readKey(text: string, file: string): SigningKey {
  try {
    const privateKey = createPrivateKey(text);
    return { ...sealKeyOf(createPublicKey(privateKey)), privateKey };
  } catch (error) {
    throw new OpsError('misconfigured', `${file} holds no private key.`, {
      hint: 'Put back the file from a copy. Moved away, a new key is made, which the seals so far were not signed by.',
      cause: error,
    });
  }
}
