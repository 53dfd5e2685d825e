import { z } from 'zod';
import type { Clock } from '#domain/clock.ts';
import { OpsError } from '#domain/errors.ts';
import { part, type SynapseApi } from './admin-api.ts';
import { accountAnswer } from './answers.ts';
import type { AdminIdentity } from './identity.ts';

const probeTimeoutMs = 5000;

/** What health checks ask. Each throws when it can't be answered: that is a reading of its own, never silence. */
export class SynapseProbes {
  readonly #api: SynapseApi;
  readonly #identity: AdminIdentity;
  readonly #clock: Clock;

  constructor(api: SynapseApi, identity: AdminIdentity, clock: Clock) {
    this.#api = api;
    this.#identity = identity;
    this.#clock = clock;
  }

  /** The process answers. Says nothing of the database: it is 200 with PostgreSQL stopped. */
  health(): Promise<{ latencyMs: number }> {
    return this.#timed(() => this.#get('/health', 'ask Synapse for its health'));
  }

  /** The client API answers; from memory, so this too says nothing of the database. */
  async versions(): Promise<{ latencyMs: number; versions: string[] }> {
    let versions: string[] = [];
    const { latencyMs } = await this.#timed(async () => {
      const answer = z.object({ versions: z.array(z.string()) });
      ({ versions } = await this.#get('/_matrix/client/versions', 'ask for the versions', answer));
    });
    return { latencyMs, versions };
  }

  /** Synapse's version; needs no token. */
  async serverVersion(): Promise<string> {
    const answer = z.object({ server_version: z.string() });
    const path = '/_synapse/admin/v1/server_version';
    return (await this.#get(path, "ask for Synapse's version", answer)).server_version;
  }

  /** Reads a row that isn't cached: fails (500) while the database is down. Throws `misconfigured` without admin right. */
  async database(): Promise<{ latencyMs: number }> {
    const user = await this.#identity.ask(probeTimeoutMs);
    return this.#timed(async () => {
      const { data } = await this.#api.call({
        method: 'GET',
        path: `/_synapse/admin/v2/users/${part(user)}`,
        answer: accountAnswer,
        doing: "read from Synapse's database",
        timeoutMs: probeTimeoutMs,
      });
      if (!data.admin) throw new OpsError('misconfigured', `${user} is not a server administrator.`);
    });
  }

  async #get<T = undefined>(path: string, doing: string, answer?: z.ZodType<T>): Promise<T> {
    const call = { method: 'GET', path, doing, caller: 'nobody', timeoutMs: probeTimeoutMs } as const;
    return (await this.#api.call<T>(answer === undefined ? call : { ...call, answer })).data;
  }

  async #timed(ask: () => Promise<unknown>): Promise<{ latencyMs: number }> {
    const startMs = this.#clock.monotonicMs();
    await ask();
    return { latencyMs: this.#clock.monotonicMs() - startMs };
  }
}
