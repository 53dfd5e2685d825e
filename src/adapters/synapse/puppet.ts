import type { Puppet, UserId } from '#domain/accounts.ts';
import { OpsError } from '#domain/errors.ts';
import type { RoomId } from '#domain/rooms.ts';
import { part, type SynapseApi } from './admin-api.ts';
import { refusalOf } from './failures.ts';

const roomPath = (room: RoomId, act: string): string => `/_matrix/client/v3/rooms/${part(room)}/${act}`;

/** Acts by a login-as token, which belongs to the admin account: a lock stops it, deleting devices doesn't. */
export class SynapsePuppet implements Puppet {
  readonly #api: SynapseApi;
  readonly #user: UserId;
  readonly #token: string;

  constructor(api: SynapseApi, user: UserId, token: string) {
    this.#api = api;
    this.#user = user;
    this.#token = token;
  }

  async leave(room: RoomId, reason: string): Promise<void> {
    try {
      await this.#post(roomPath(room, 'leave'), { reason }, `leave ${room} for ${this.#user}`);
    } catch (error) {
      const refusal = refusalOf(error);
      // Kicked, banned or never in it (403), or nobody of this server is (404): out, as wanted. The room of the server
      // notices can't be left at all; it holds nothing but them.
      const out = refusal?.said.includes('not in room') || refusal?.status === 404;
      if (!out && refusal?.errcode !== 'M_CANNOT_LEAVE_SERVER_NOTICE_ROOM') throw error;
    }
  }

  async join(room: RoomId): Promise<void> {
    await this.#post(`/_matrix/client/v3/join/${part(room)}`, {}, `join ${room} for ${this.#user}`);
  }

  async invite(room: RoomId, user: UserId): Promise<void> {
    try {
      await this.#post(roomPath(room, 'invite'), { user_id: user }, `invite ${user} to ${room} for ${this.#user}`);
    } catch (error) {
      if (refusalOf(error)?.said.includes('already in the room') !== true) throw error;
    }
  }

  async logout(): Promise<void> {
    try {
      // Works for a locked account too.
      await this.#post('/_matrix/client/v3/logout', {}, `end acting for ${this.#user}`);
    } catch (error) {
      if (!(error instanceof OpsError && refusalOf(error)?.errcode === 'M_UNKNOWN_TOKEN')) throw error;
    }
  }

  async #post(path: string, body: Record<string, unknown>, doing: string): Promise<void> {
    await this.#api.call({ method: 'POST', path, body, doing, caller: 'puppet', token: this.#token, patient: true });
  }
}
