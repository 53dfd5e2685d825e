import { createHmac } from 'node:crypto';
import { OpsError } from '#domain/errors.ts';
import { pause } from './lock.ts';

export type Session = { userId: string; token: string; deviceId: string };

export type Registration = {
  username: string;
  password: string;
  displayname?: string;
  admin?: boolean;
  deviceName?: string;
};

/** One call of Synapse's HTTP interface; waits when it is told to slow down. */
export async function call<T = unknown>(
  url: string,
  method: string,
  path: string,
  token?: string,
  body?: unknown,
  contentType = 'application/json',
): Promise<T> {
  const binary = body instanceof Uint8Array;
  const headers: Record<string, string> = {};
  if (body !== undefined) headers['content-type'] = contentType;
  if (token) headers['authorization'] = `Bearer ${token}`;
  for (let attempt = 0; ; attempt += 1) {
    const reply = await fetch(`${url}${path}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body: binary ? new Uint8Array(body) : JSON.stringify(body) }),
      signal: AbortSignal.timeout(30_000),
    });
    const answer = (await reply.json()) as { error?: string; retry_after_ms?: number };
    if (reply.ok) return answer as T;
    if (reply.status === 429 && attempt < 10) {
      await pause(answer.retry_after_ms ?? 500);
      continue;
    }
    const place = path.replace(/\?.*/, '');
    throw new OpsError('unavailable', `Synapse refused ${method} ${place} (${reply.status}): ${answer.error ?? ''}`, {
      effect: 'unknown',
    });
  }
}

/** Makes an account with the shared secret: needs no token and has no rate limit. */
export async function register(url: string, secret: string, account: Registration): Promise<Session> {
  const path = '/_synapse/admin/v1/register';
  const { nonce } = await call<{ nonce: string }>(url, 'GET', path);
  const { username, password, admin = false } = account;
  const signed = `${nonce}\0${username}\0${password}\0${admin ? 'admin' : 'notadmin'}`;
  const made = await call<{ user_id: string; access_token: string; device_id: string }>(url, 'POST', path, undefined, {
    nonce,
    username,
    password,
    admin,
    mac: createHmac('sha1', secret).update(signed).digest('hex'),
    ...(account.displayname === undefined ? {} : { displayname: account.displayname }),
    ...(account.deviceName === undefined ? {} : { initial_device_display_name: account.deviceName }),
  });
  return { userId: made.user_id, token: made.access_token, deviceId: made.device_id };
}
