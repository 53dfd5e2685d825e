import type { MatrixEvent } from '#adapters/matrix/events.ts';
import type { Request } from '#adapters/matrix/client.ts';
import { OpsError } from '#domain/errors.ts';

type Json = Record<string, unknown>;
type Device = { keys: Json; oneTime: Map<string, unknown>; fallback: Map<string, unknown> };
type Identity = { master_key: Json; self_signing_key: Json; user_signing_key: Json };
export type Asked = { user: string; device: string; method: string; path: string; body: Json };

/** The error of a homeserver that is told to fail. */
const refusal = (kind: 'invalid' | 'notFound', errcode: string, text: string): OpsError =>
  new OpsError(kind, `The homeserver refused (${errcode}): ${text}`, { cause: errcode });

/** A homeserver with one room, as far as keys go: devices, identities, to-device messages, and a sync for each device. */
export class FakeKeyServer {
  readonly room: string;
  readonly asked: Asked[] = [];
  readonly events: MatrixEvent[] = [];
  readonly accountData = new Map<string, Json>();
  readonly #devices = new Map<string, Map<string, Device>>();
  readonly #identities = new Map<string, Identity>();
  readonly #toDevice: Array<{ at: number; user: string; device: string; event: Json }> = [];
  readonly #changed: Array<{ at: number; user: string }> = [];
  readonly #state = new Map<string, Json>();
  readonly #failing: Array<{ path: RegExp; error: OpsError; times: number }> = [];
  readonly #sent = new Map<string, string>();
  readonly passwords = new Map<string, string>();
  /** To-device messages of this moment wait until it is false again. */
  holdKeys = false;
  #held: Array<{ user: string; device: string; event: Json }> = [];
  refuseSignatures = false;
  readonly #shown = new Map<string, number>();
  #now = 0;
  #logins = 0;

  constructor(room = '!ops:example.org') {
    this.room = room;
  }

  fail(path: RegExp, error: OpsError, times = 1): void {
    this.#failing.push({ path, error, times });
  }

  /** Nothing fails any more. */
  mend(): void {
    this.#failing.length = 0;
  }

  /** A state event, as the sync shows it. */
  setState(type: string, content: Json, key = '', sender = '@alice:example.org'): void {
    this.#state.set(`${type}|${key}`, content);
    this.#say({ type, state_key: key, sender, content });
  }

  join(user: string): void {
    this.setState('m.room.member', { membership: 'join' }, user, user);
  }

  leave(user: string): void {
    this.setState('m.room.member', { membership: 'leave' }, user, user);
  }

  logout(user: string, device: string): void {
    this.#devices.get(user)?.delete(device);
    this.#touch(user);
  }

  /** A device that somebody else has. */
  setKeys(user: string, device: string): void {
    this.#device(user, device).keys = { user_id: user, device_id: device, algorithms: [], keys: {}, signatures: {} };
  }

  /** Another copy has uploaded keys under the names that come next. */
  renameOneTimeKeys(user: string, device: string): void {
    const { oneTime } = this.#device(user, device);
    for (const id of oneTime.keys()) oneTime.set(id, { key: 'of another copy' });
    const taken = 'signed_curve25519:AAAAAAAAA';
    for (const letter of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789')
      for (const next of 'AQgw') oneTime.set(`${taken}${letter}${next}`, { key: 'of another copy' });
  }

  dropOneTimeKeys(user: string, device: string, count: number): void {
    this.#shown.set(`${user}|${device}`, 50 - count);
  }

  keysOf(user: string, device: string): Json | undefined {
    return this.#devices.get(user)?.get(device)?.keys;
  }

  identityOf(user: string): Identity | undefined {
    return this.#identities.get(user);
  }

  releaseKeys(): void {
    this.holdKeys = false;
    for (const held of this.#held.splice(0)) this.#deliver(held.user, held.device, held.event);
  }

  #touch(user: string): void {
    this.#changed.push({ at: (this.#now += 1), user });
  }

  #say(event: MatrixEvent): string {
    const id = `$${(this.#now += 1)}`;
    this.events.push({ event_id: id, origin_server_ts: 1, ...event });
    return id;
  }

  #deliver(user: string, device: string, event: Json): void {
    if (this.holdKeys) this.#held.push({ user, device, event });
    else this.#toDevice.push({ at: (this.#now += 1), user, device, event });
  }

  /** The same requests that the bot's client makes, by that device. */
  requestFor(user: string, device: string | undefined): Request {
    return async (method, path, query, body) => {
      const content = (body ?? {}) as Json;
      this.asked.push({ user, device: device ?? '', method, path, body: content });
      await Promise.resolve();
      const failing = this.#failing.find((one) => one.times > 0 && one.path.test(path));
      if (failing) {
        failing.times -= 1;
        throw failing.error;
      }
      return structuredClone(this.#answer(user, device ?? '', path, query ?? {}, content));
    };
  }

  #answer(user: string, device: string, path: string, query: Record<string, string | number>, body: Json): Json {
    const end = path.replace(/^\/_matrix\/client\/v3/, '');
    if (end === '/account/whoami') return { user_id: user, ...(device === '' ? {} : { device_id: device }) };
    if (end === '/login') return this.#login(body);
    if (end === '/keys/upload') return this.#upload(user, device, body);
    if (end === '/keys/query') return this.#query(body['device_keys'] as Json);
    if (end === '/keys/claim') return this.#claim(body['one_time_keys'] as Record<string, Record<string, string>>);
    if (end === '/keys/device_signing/upload') return this.#identity(user, body);
    if (end === '/keys/signatures/upload') return this.#signatures(body as Record<string, Record<string, Json>>);
    if (end.startsWith('/sendToDevice/')) return this.#sendToDevice(user, end.split('/')[2]!, body);
    if (end === '/sync') return this.#sync(user, device, query['since']);
    if (end.includes('/account_data/')) return this.#data(end.split('/').at(-1)!, body);
    return this.#inRoom(user, end, body);
  }

  #data(type: string, body: Json): Json {
    if (Object.keys(body).length > 0) this.accountData.set(type, body);
    const stored = this.accountData.get(type);
    if (stored === undefined) throw refusal('notFound', 'M_NOT_FOUND', 'no such account data');
    return stored;
  }

  #login(body: Json): Json {
    const { user } = body['identifier'] as { user: string };
    if (this.passwords.get(user) !== body['password'])
      throw new OpsError('denied', 'The homeserver refused (M_FORBIDDEN)');
    this.#logins += 1;
    return { user_id: user, device_id: `LOGIN${this.#logins}`, access_token: `token-${this.#logins}` };
  }

  #inRoom(user: string, end: string, body: Json): Json {
    const [, , , verb, type = '', txn = ''] = end.split('/');
    if (verb === 'send') {
      const known = this.#sent.get(`${user}|${type}|${txn}`);
      const id = known ?? this.#say({ type, sender: user, content: body, unsigned: { transaction_id: txn } });
      this.#sent.set(`${user}|${type}|${txn}`, id);
      return { event_id: id };
    }
    if (verb === 'state') {
      const content = this.#state.get(`${type}|`);
      if (content === undefined) throw refusal('notFound', 'M_NOT_FOUND', 'no such state');
      return content;
    }
    if (verb === 'joined_members') return { joined: Object.fromEntries(this.members().map((one) => [one, {}])) };
    throw refusal('notFound', 'M_UNRECOGNIZED', end);
  }

  members(): string[] {
    return [...this.#state]
      .filter(([key, content]) => key.startsWith('m.room.member|') && content['membership'] === 'join')
      .map(([key]) => key.slice('m.room.member|'.length));
  }

  #device(user: string, device: string): Device {
    let devices = this.#devices.get(user);
    if (!devices) this.#devices.set(user, (devices = new Map()));
    let found = devices.get(device);
    if (!found) devices.set(device, (found = { keys: {}, oneTime: new Map(), fallback: new Map() }));
    return found;
  }

  #upload(user: string, device: string, body: Json): Json {
    if (device === '') throw refusal('invalid', 'M_UNKNOWN', 'no device');
    const mine = this.#device(user, device);
    for (const [id, key] of Object.entries((body['one_time_keys'] ?? {}) as Json)) {
      const known = mine.oneTime.get(id);
      if (known !== undefined && JSON.stringify(known) !== JSON.stringify(key))
        throw refusal('invalid', 'M_UNKNOWN', `One time key ${id} already exists.`);
      mine.oneTime.set(id, key);
    }
    for (const [id, key] of Object.entries((body['fallback_keys'] ?? {}) as Json)) mine.fallback.set(id, key);
    // Like Synapse: the first keys of a device stay.
    if (body['device_keys'] && Object.keys(mine.keys).length === 0) {
      mine.keys = body['device_keys'] as Json;
      this.#touch(user);
    }
    return { one_time_key_counts: { signed_curve25519: mine.oneTime.size } };
  }

  #query(asked: Json): Json {
    const answer: Record<string, Json> = {
      device_keys: {},
      master_keys: {},
      self_signing_keys: {},
      user_signing_keys: {},
    };
    for (const user of Object.keys(asked)) {
      const devices = [...(this.#devices.get(user) ?? [])].filter(([, { keys }]) => Object.keys(keys).length > 0);
      answer['device_keys']![user] = Object.fromEntries(devices.map(([name, { keys }]) => [name, keys]));
      const identity = this.#identities.get(user);
      if (!identity) continue;
      answer['master_keys']![user] = identity.master_key;
      answer['self_signing_keys']![user] = identity.self_signing_key;
      answer['user_signing_keys']![user] = identity.user_signing_key;
    }
    return { ...answer, failures: {} };
  }

  #claim(asked: Record<string, Record<string, string>>): Json {
    const given: Record<string, Json> = {};
    for (const [user, devices] of Object.entries(asked)) {
      for (const name of Object.keys(devices)) {
        const device = this.#devices.get(user)?.get(name);
        const [first] = device?.oneTime ?? [];
        const [last] = device?.fallback ?? [];
        const key = first ?? last;
        if (!key) continue;
        device?.oneTime.delete(key[0]);
        given[user] = { ...given[user], [name]: { [key[0]]: key[1] } };
      }
    }
    return { one_time_keys: given, failures: {} };
  }

  #identity(user: string, body: Json): Json {
    const before = this.#identities.get(user);
    const given = body as unknown as Identity;
    const same =
      before !== undefined && JSON.stringify(before.master_key['keys']) === JSON.stringify(given.master_key['keys']);
    const auth = body['auth'] as { password?: string; session?: string } | undefined;
    if (before !== undefined && !same && (auth?.session !== 'uia' || auth.password !== this.passwords.get(user)))
      throw new OpsError('denied', 'The homeserver asks for the password.', { cause: { session: 'uia' } });
    this.#identities.set(user, given);
    this.#touch(user);
    return {};
  }

  #signatures(body: Record<string, Record<string, Json>>): Json {
    for (const [user, things] of Object.entries(body)) {
      for (const [name, signed] of Object.entries(things)) {
        const identity = this.#identities.get(user);
        const master =
          identity && Object.keys(identity.master_key['keys'] as Json).some((key) => key.endsWith(`:${name}`));
        const target = master ? identity.master_key : this.#devices.get(user)?.get(name)?.keys;
        if (!target || this.refuseSignatures) return { failures: { [user]: { [name]: { errcode: 'M_NOT_FOUND' } } } };
        const merged = (target['signatures'] ?? {}) as Record<string, Json>;
        for (const [by, signatures] of Object.entries(signed['signatures'] as Record<string, Json>))
          merged[by] = { ...merged[by], ...signatures };
        target['signatures'] = merged;
      }
      this.#touch(user);
    }
    return { failures: {} };
  }

  #sendToDevice(sender: string, type: string, body: Json): Json {
    for (const [user, devices] of Object.entries(body['messages'] as Record<string, Json>)) {
      const names = '*' in devices ? [...(this.#devices.get(user)?.keys() ?? [])] : Object.keys(devices);
      for (const name of names) this.#deliver(user, name, { type, sender, content: devices[name] ?? devices['*'] });
    }
    return {};
  }

  #sync(user: string, device: string, given: string | number | undefined): Json {
    const since = given === undefined ? 0 : Number(given);
    const mine = this.#device(user, device);
    const after = this.events.filter(({ event_id: id }) => Number(id!.slice(1)) > since);
    const events = after.map((event) => (event.sender === user ? event : { ...event, unsigned: {} }));
    return {
      next_batch: String(this.#now),
      to_device: {
        events: this.#toDevice
          .filter((one) => one.user === user && one.device === device && one.at > since)
          .map(({ event }) => event),
      },
      device_lists: {
        changed: [...new Set(this.#changed.filter(({ at }) => at > since).map((one) => one.user))],
        left: [],
      },
      device_one_time_keys_count: { signed_curve25519: this.#shown.get(`${user}|${device}`) ?? mine.oneTime.size },
      device_unused_fallback_key_types: [...mine.fallback.keys()].map((key) => key.split(':')[0]!),
      rooms: {
        join:
          events.length === 0 ? {} : { [this.room]: { timeline: { events, limited: false }, state: { events: [] } } },
      },
    };
  }
}
