import { parseUserId, type UserId } from '#domain/accounts.ts';
import type { EpochMs } from '#domain/clock.ts';
import { OpsError } from '#domain/errors.ts';
import type { Tokens, TokenStatus } from '#domain/tokens.ts';
import { part, type SynapseApi } from './admin-api.ts';
import { accountAnswer, devicesAnswer, whoamiAnswer } from './answers.ts';

/** The chat account's own token; its homeserver is reached through the same address. */
export type ChatToken = { token: string };

/**
 * The state of the bot's two credentials at this homeserver. Synapse doesn't keep when a token was made; only a device
 * whose name carries the time (as `init` and rotation name theirs) tells it.
 */
export class SynapseTokens implements Tokens {
  readonly #api: SynapseApi;
  readonly #chat: ChatToken | undefined;

  constructor(api: SynapseApi, chat: ChatToken | undefined) {
    this.#api = api;
    this.#chat = chat;
  }

  async status(): Promise<TokenStatus[]> {
    const chat = this.#chat;
    return Promise.all([this.#admin(), ...(chat === undefined ? [] : [this.#ofChat(chat)])]);
  }

  #admin(): Promise<TokenStatus> {
    return this.#report('admin', 'admin', undefined, async (user) => {
      const { data } = await this.#api.call({
        method: 'GET',
        path: `/_synapse/admin/v2/users/${part(user)}`,
        answer: accountAnswer,
        doing: `look up ${user}`,
      });
      if (!data.admin) throw new OpsError('misconfigured', `${user} is not a server administrator.`);
    });
  }

  #ofChat(chat: ChatToken): Promise<TokenStatus> {
    return this.#report('bot', 'chat', chat.token, () => Promise.resolve());
  }

  /** A refused token is a finding; a homeserver that can't be asked is not, and throws. */
  async #report(
    name: string,
    caller: 'admin' | 'chat',
    token: string | undefined,
    prove: (user: UserId) => Promise<void>,
  ): Promise<TokenStatus> {
    let owner: UserId | undefined;
    let device: string | undefined;
    try {
      ({ user: owner, device } = await this.#whoami(caller, token));
      await prove(owner);
      const issuedAt = await this.#issuedAt(owner, device);
      const note = issuedAt === undefined ? 'The homeserver does not tell when it was made.' : undefined;
      return { name, owner, device, issuedAt, works: true, note };
    } catch (error) {
      if (!(error instanceof OpsError) || error.kind !== 'misconfigured') throw error;
      return { name, owner, device, issuedAt: undefined, works: false, note: error.message };
    }
  }

  async #whoami(caller: 'admin' | 'chat', token?: string): Promise<{ user: UserId; device: string | undefined }> {
    const { data } = await this.#api.call({
      method: 'GET',
      path: '/_matrix/client/v3/account/whoami',
      caller,
      ...(token === undefined ? {} : { token }),
      answer: whoamiAnswer,
      doing: 'find out whose token it is',
    });
    return { user: parseUserId(data.user_id), device: data.device_id ?? undefined };
  }

  async #issuedAt(user: UserId | undefined, device: string | undefined): Promise<EpochMs | undefined> {
    if (user === undefined || device === undefined) return undefined;
    try {
      const { data } = await this.#api.call({
        method: 'GET',
        path: `/_synapse/admin/v2/users/${part(user)}/devices`,
        answer: devicesAnswer,
        doing: `list the devices of ${user}`,
      });
      return timeInName(data.devices.find((found) => found.device_id === device)?.display_name ?? '');
    } catch (error) {
      // The age is a nicety: that the token itself works is known by now.
      if (error instanceof OpsError && ['misconfigured', 'denied', 'notFound'].includes(error.kind)) return undefined;
      throw error;
    }
  }
}

/** The time in a device name such as `opsroom 2026-11-22T09:00:00Z`. */
export function timeInName(name: string): EpochMs | undefined {
  const found = /\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?Z/.exec(name);
  const time = found === null ? Number.NaN : Date.parse(found[0]);
  return Number.isNaN(time) ? undefined : time;
}
