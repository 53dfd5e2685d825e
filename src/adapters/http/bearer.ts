import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { Secret } from '#domain/secret.ts';

const digest = (value: string): Buffer => createHash('sha256').update(value).digest();

/** `Authorization: Bearer SECRET`, or basic auth with any name and the secret as its password. */
function shownIn(header: string): string {
  const [, scheme = '', value = ''] = /^(\w+)\s+(.*)$/s.exec(header.trim()) ?? [];
  if (scheme.toLowerCase() === 'bearer') return value.trim();
  if (scheme.toLowerCase() !== 'basic') return '';
  const pair = Buffer.from(value, 'base64').toString('utf8');
  return pair.slice(pair.indexOf(':') + 1);
}

/** Does the request show the secret? Takes the same time whatever it shows: hashes have one length. */
export function showsSecret(headers: IncomingHttpHeaders, secret: Secret): boolean {
  const shown = shownIn(headers.authorization ?? '');
  return timingSafeEqual(digest(shown), digest(secret.reveal())) && shown !== '';
}
