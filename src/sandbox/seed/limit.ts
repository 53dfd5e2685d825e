import { call } from '../synapse-client.ts';
import type { Synapse } from '../synapse.ts';

/** Lifts Synapse's limits for an account, or gives it back everybody's default. */
export async function limitSending(synapse: Synapse, userId: string, isLifted: boolean): Promise<void> {
  const path = `/_synapse/admin/v1/users/${encodeURIComponent(userId)}/override_ratelimit`;
  const none = { messages_per_second: 0, burst_count: 0 };
  if (isLifted) await call(synapse.url, 'POST', path, synapse.adminToken, none);
  else await call(synapse.url, 'DELETE', path, synapse.adminToken);
}
