import { parseUserId, serverOf, type UserId } from '#domain/accounts.ts';
import type { Clock } from '#domain/clock.ts';
import { asOpsError, OpsError } from '#domain/errors.ts';
import type { SynapseApi } from './admin-api.ts';
import { whoamiAnswer } from './answers.ts';

export type IdentitySettings = {
  clock: Clock;
  serverName?: string;
  /** Believed until the homeserver has told; it wins. */
  adminUser?: UserId;
};

/**
 * Whose admin token it is. Only Synapse knows, and the bot has to start while Synapse is down: so it is asked at the
 * start, at every use until it is known, and in the background.
 */
export class AdminIdentity {
  readonly #api: SynapseApi;
  readonly #settings: IdentitySettings;
  #told: UserId | undefined;
  #asking: Promise<UserId> | undefined;
  #trouble: OpsError | undefined;

  constructor(api: SynapseApi, settings: IdentitySettings) {
    this.#api = api;
    this.#settings = settings;
  }

  /** What is known now: told by Synapse, else by the settings. */
  find(): UserId | undefined {
    return this.#told ?? this.#settings.adminUser;
  }

  /** Throws why it isn't known: `unavailable`, or `misconfigured` when the token is refused. */
  require(): UserId {
    const user = this.find();
    if (user !== undefined) return user;
    if (this.#trouble !== undefined) throw this.#trouble;
    throw new OpsError('unavailable', 'It is not known yet whose admin token it is: Synapse has not answered.');
  }

  requireServerName(): string {
    return this.#settings.serverName ?? serverOf(this.require());
  }

  /** Asks unless Synapse has told already; those who ask at once share one request. */
  async ask(timeoutMs?: number): Promise<UserId> {
    if (this.#told !== undefined) return this.#told;
    this.#asking ??= this.#whoami(timeoutMs).finally(() => (this.#asking = undefined));
    return this.#asking;
  }

  async #whoami(timeoutMs: number | undefined): Promise<UserId> {
    try {
      const { data } = await this.#api.call({
        method: 'GET',
        path: '/_matrix/client/v3/account/whoami',
        answer: whoamiAnswer,
        doing: 'find out whose admin token it is',
        ...(timeoutMs === undefined ? {} : { timeoutMs }),
      });
      this.#told = parseUserId(data.user_id);
      this.#trouble = undefined;
      return this.#told;
    } catch (error) {
      this.#trouble = asOpsError(error);
      throw this.#trouble;
    }
  }

  /** Goes on asking until it is known or the signal ends it. Never throws. */
  async watch(signal: AbortSignal): Promise<void> {
    for (let pauseMs = 1000; this.#told === undefined && !signal.aborted; pauseMs = Math.min(pauseMs * 2, 30_000)) {
      await this.#settings.clock.sleep(pauseMs, signal).catch(() => undefined);
      if (!signal.aborted) await this.ask().catch(() => undefined);
    }
  }
}
