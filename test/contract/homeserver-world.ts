import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Accounts, UserId } from '#domain/accounts.ts';
import type { CallMembership } from '#domain/calls.ts';
import { type RoomAlias, parseRoomId, type RoomId, type Rooms } from '#domain/rooms.ts';
import { openSynapse } from '#adapters/synapse/open.ts';
import { SystemClock } from '#adapters/system/clock.ts';
import { openStack } from '#sandbox/stack.ts';
import { FakeAccounts } from '#test/fakes/accounts.ts';

export type WantedRoom = {
  creator: UserId;
  name?: string;
  alias?: RoomAlias;
  /** Anyone may join. */
  public?: boolean;
  encrypted?: boolean;
  invited?: UserId[];
  joined?: UserId[];
};

/** What a contract suite needs around the port: people and rooms made as clients make them. */
export interface HomeserverWorld extends AsyncDisposable {
  accounts: Accounts;
  rooms: Rooms;
  now(): number;
  newUser(name: string): Promise<UserId>;
  /** Logs in as a client; false when refused. Makes a device. */
  login(user: UserId, password?: string): Promise<boolean>;
  newRoom(room: WantedRoom): Promise<RoomId>;
  kick(by: UserId, room: RoomId, user: UserId): Promise<void>;
  /** A client of someone who may set state there joins the call of the room. */
  joinCall(room: RoomId, user: UserId, membership: CallMembership): Promise<void>;
}

export const firstPassword = 'correct-horse-battery';

export const worlds: Array<[string, () => Promise<HomeserverWorld>]> = [
  ['fake', () => Promise.resolve(fakeWorld())],
  ['Synapse', synapseWorld],
];

function fakeWorld(): HomeserverWorld {
  const accounts = new FakeAccounts({ serverName: 'opsroom.test' });
  const rooms = accounts.rooms;
  return {
    accounts,
    rooms,
    now: () => accounts.clock.now(),
    newUser: (name) => Promise.resolve(accounts.add(name, { password: firstPassword })),
    login(user, password = firstPassword) {
      try {
        accounts.login(user, password);
        return Promise.resolve(true);
      } catch {
        return Promise.resolve(false);
      }
    },
    newRoom({ invited = [], joined = [], ...room }) {
      const id = rooms.add(room);
      for (const user of invited) rooms.setMembership(id, user, 'invite');
      for (const user of joined) rooms.setMembership(id, user, 'join');
      return Promise.resolve(id);
    },
    kick(_by, room, user) {
      rooms.setMembership(room, user, 'leave');
      return Promise.resolve();
    },
    joinCall: (room, user, membership) => Promise.resolve(rooms.joinCall(room, user, membership)),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

async function synapseWorld(): Promise<HomeserverWorld> {
  const dir = await mkdtemp(join(tmpdir(), 'opsroom-contract-'));
  await using opening = new AsyncDisposableStack();
  opening.defer(() => rm(dir, { recursive: true, force: true }));
  const stack = opening.use(await openStack({ dir, log: () => undefined, parts: ['synapse'], rateLimits: 'lifted' }));
  const { url, adminToken } = stack.synapse;
  const synapse = opening.use(await openSynapse({ url, adminToken, clock: new SystemClock() }));
  const client = new TestClient(url, adminToken);
  const opened = opening.move();
  return {
    accounts: synapse.accounts,
    rooms: synapse.rooms,
    now: () => Date.now(),
    newUser: (name) => client.makeUser(name, stack.serverName),
    login: (user, password = firstPassword) => client.login(user, password),
    newRoom: (room) => client.makeRoom(room),
    async kick(by, room, user) {
      await client.as(by, 'POST', `/rooms/${encodeURIComponent(room)}/kick`, { user_id: user });
    },
    async joinCall(room, user, { device, member }) {
      const path = `/rooms/${encodeURIComponent(room)}/state/org.matrix.msc3401.call.member/_${user}_${device}_m.call`;
      await client.as(user, 'PUT', path, {
        device_id: device,
        membershipID: member,
        call_id: '',
        application: 'm.call',
      });
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** The few client calls that make a world; every user's token is kept. */
export class TestClient {
  readonly #url: string;
  readonly #adminToken: string;
  readonly #tokens = new Map<UserId, string>();

  constructor(url: string, adminToken: string) {
    this.#url = url;
    this.#adminToken = adminToken;
  }

  tokenOf(user: UserId): string {
    const token = this.#tokens.get(user);
    if (token === undefined) throw new Error(`${user} has no session`);
    return token;
  }

  async makeUser(name: string, serverName: string): Promise<UserId> {
    const user = `@${name}:${serverName}` as UserId;
    const path = `/_synapse/admin/v2/users/${encodeURIComponent(user)}`;
    const made = await this.fetch('PUT', path, this.#adminToken, { password: firstPassword, displayname: name });
    if (made.status !== 201) throw new Error(`${user} was not made: ${made.status}`);
    return user;
  }

  async login(user: UserId, password: string): Promise<boolean> {
    const { status, body } = await this.fetch('POST', '/_matrix/client/v3/login', undefined, {
      type: 'm.login.password',
      identifier: { type: 'm.id.user', user },
      password,
    });
    if (status === 200) this.#tokens.set(user, String(body['access_token']));
    return status === 200;
  }

  async makeRoom({ creator, invited = [], joined = [], ...room }: WantedRoom): Promise<RoomId> {
    const encryption = { type: 'm.room.encryption', state_key: '', content: { algorithm: 'm.megolm.v1.aes-sha2' } };
    const made = await this.as(creator, 'POST', '/createRoom', {
      preset: room.public === true ? 'public_chat' : 'private_chat',
      ...(room.name === undefined ? {} : { name: room.name }),
      ...(room.alias === undefined ? {} : { room_alias_name: room.alias.slice(1).split(':')[0] }),
      ...(room.encrypted === true ? { initial_state: [encryption] } : {}),
      invite: [...invited, ...joined],
    });
    const id = parseRoomId(String(made['room_id']));
    for (const user of joined) await this.as(user, 'POST', `/join/${encodeURIComponent(id)}`, {});
    return id;
  }

  async as(user: UserId, method: string, path: string, body: unknown): Promise<Record<string, unknown>> {
    if (!this.#tokens.has(user)) await this.login(user, firstPassword);
    const answer = await this.fetch(method, `/_matrix/client/v3${path}`, this.tokenOf(user), body);
    if (answer.status !== 200) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  async fetch(
    method: string,
    path: string,
    token: string | undefined,
    body?: unknown,
  ): Promise<{ status: number; body: Record<string, unknown> }> {
    const response = await fetch(this.#url + path, {
      method,
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  }
}
