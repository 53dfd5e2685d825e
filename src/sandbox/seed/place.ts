import { randomBytes } from 'node:crypto';
import { call, register, type Session } from '../synapse-client.ts';
import { seedFile } from './files.ts';
import type { Line } from './rooms.ts';

export type NewRoom = {
  alias?: string;
  name?: string;
  topic?: string;
  public?: boolean;
  direct?: boolean;
  invite: string[];
  initialState?: { type: string; state_key?: string; content: Record<string, unknown> }[];
  powerLevels?: Record<string, unknown>;
};

const client = '/_matrix/client/v3';

/** The calls of Synapse that furnish a place, each for the person who would make it. */
export class Place {
  readonly #url: string;
  readonly #secret: string;
  #transaction = 0;

  constructor(url: string, secret: string) {
    this.#url = url;
    this.#secret = secret;
  }

  async person(
    username: string,
    displayname: string,
    deviceName: string,
    admin = false,
  ): Promise<Session & { password: string }> {
    const password = randomBytes(9).toString('base64url');
    const session = await register(this.#url, this.#secret, { username, password, displayname, deviceName, admin });
    return { ...session, password };
  }

  async secondDevice(username: string, password: string, deviceName: string): Promise<Session> {
    const made = await call<{ user_id: string; access_token: string; device_id: string }>(
      this.#url,
      'POST',
      `${client}/login`,
      undefined,
      {
        type: 'm.login.password',
        identifier: { type: 'm.id.user', user: username },
        password,
        initial_device_display_name: deviceName,
      },
    );
    return { userId: made.user_id, token: made.access_token, deviceId: made.device_id };
  }

  /** An account that a bridge keeps for someone on another network. */
  async ghost(localpart: string, userId: string, name: string, appserviceToken: string): Promise<void> {
    const type = 'm.login.application_service';
    const body = { type, username: localpart, inhibit_login: true };
    await call(this.#url, 'POST', `${client}/register`, appserviceToken, body);
    const path = `${client}/profile/${encodeURIComponent(userId)}/displayname?user_id=${encodeURIComponent(userId)}`;
    await call(this.#url, 'PUT', path, appserviceToken, { displayname: name });
  }

  async room(token: string, room: NewRoom): Promise<string> {
    const made = await call<{ room_id: string }>(this.#url, 'POST', `${client}/createRoom`, token, {
      preset: room.public ? 'public_chat' : room.direct ? 'trusted_private_chat' : 'private_chat',
      visibility: room.public ? 'public' : 'private',
      is_direct: room.direct ?? false,
      invite: room.invite,
      initial_state: room.initialState ?? [],
      ...(room.alias === undefined ? {} : { room_alias_name: room.alias }),
      ...(room.name === undefined ? {} : { name: room.name }),
      ...(room.topic ? { topic: room.topic } : {}),
      ...(room.powerLevels === undefined ? {} : { power_level_content_override: room.powerLevels }),
    });
    return made.room_id;
  }

  /** `as`: the ghost that an application service's token speaks for. */
  async join(token: string, roomId: string, as?: string): Promise<void> {
    await call(this.#url, 'POST', `${client}/join/${encodeURIComponent(roomId)}${speaker(as)}`, token, {});
  }

  async say(token: string, roomId: string, [, text, file]: Line, as?: string): Promise<void> {
    const content = file ? await this.#uploaded(token, text, file) : { msgtype: 'm.text', body: text };
    this.#transaction += 1;
    const path = `${client}/rooms/${encodeURIComponent(roomId)}/send/m.room.message/seed${this.#transaction}`;
    await call(this.#url, 'PUT', path + speaker(as), token, { ...content, 'm.mentions': {} });
  }

  async markDirect(session: Session, chats: Record<string, string[]>): Promise<void> {
    const path = `${client}/user/${encodeURIComponent(session.userId)}/account_data/m.direct`;
    await call(this.#url, 'PUT', path, session.token, chats);
  }

  async admin(token: string, method: string, path: string, body?: unknown): Promise<void> {
    await call(this.#url, method, `/_synapse/admin/${path}`, token, body);
  }

  async #uploaded(token: string, name: string, kind: 'picture' | 'text'): Promise<Record<string, unknown>> {
    const file = seedFile(name, kind);
    const path = `/_matrix/media/v3/upload?filename=${encodeURIComponent(name)}`;
    const { content_uri: url } = await call<{ content_uri: string }>(
      this.#url,
      'POST',
      path,
      token,
      file.bytes,
      file.type,
    );
    return { ...file.message, url };
  }
}

function speaker(userId: string | undefined): string {
  return userId === undefined ? '' : `?user_id=${encodeURIComponent(userId)}`;
}
