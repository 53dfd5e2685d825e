import { DecryptionSettings, DeviceLists, TrustRequirement } from '@matrix-org/matrix-sdk-crypto-wasm';
import type { UserId } from '#domain/accounts.ts';
import type { Clock } from '#domain/clock.ts';
import { asOpsError, OpsError } from '#domain/errors.ts';
import type { RoomFacts } from '#domain/inbox.ts';
import type { Log } from '#domain/log.ts';
import type { RoomId } from '#domain/rooms.ts';
import type { Request } from '../client.ts';
import type { MatrixEvent } from '../events.ts';
import { crossSign, type Signed } from './cross-signing.ts';
import { decrypt, type Opened } from './decrypt.ts';
import { deferred, Encryptor } from './encrypt.ts';
import { markOf, openStore } from './own-keys.ts';
import { idsOf } from './ids.ts';
import { areKeysLost } from './keys-lost.ts';
import { Machine } from './machine.ts';
import { acceptIdentity, type Known, lookAt } from './people-keys.ts';
import { Requests } from './requests.ts';
import { RoomStates } from './room-state.ts';
import { SeedsFile } from './seeds.ts';

/** What a sync answer says to the keys. */
export type KeyNews = {
  to_device?: { events?: unknown[] };
  device_lists?: { changed?: string[]; left?: string[] };
  device_one_time_keys_count?: Record<string, number>;
  device_unused_fallback_key_types?: string[];
};

export type CipherOptions = {
  request: Request;
  user: string;
  device: string;
  password: string | undefined;
  storeFile: string;
  seedsFile: string;
  facts: (room: RoomId) => RoomFacts | undefined;
  /** The last `mark` that the bot's memory has noted. */
  noted: () => string | undefined;
  clock: Clock;
  log: Log;
  /** The keys can't be used any more; `panic`: not even by another opening in this process. */
  died: (why: OpsError, panic: boolean) => void;
  /** Another copy of the keys was used: this device is to be given up. */
  lost: (why: OpsError) => void;
};

/** The bot's end of every encrypted room: keys, identity, and what goes through them. */
export class Cipher implements AsyncDisposable {
  readonly signed: Signed;
  readonly #machine: Machine;
  readonly #requests: Requests;
  readonly #rooms: RoomStates;
  readonly #encryptor: Encryptor;
  readonly #lost: CipherOptions['lost'];
  readonly #tracked = new Set<string>();
  #came = new Set<string>();
  /** Why the last sync could not be taken in: who is in the room, and with which devices, is not known for sure. */
  #behind: unknown;
  /** What the last sync said of keys. */
  #shown: string | undefined;

  private constructor(
    parts: {
      machine: Machine;
      requests: Requests;
      rooms: RoomStates;
      encryptor: Encryptor;
      lost: CipherOptions['lost'];
    },
    signed: Signed,
  ) {
    this.#machine = parts.machine;
    this.#requests = parts.requests;
    this.#rooms = parts.rooms;
    this.#encryptor = parts.encryptor;
    this.signed = signed;
    this.#lost = parts.lost;
    this.#machine.listen({ roomKey: (_room, session) => void this.#came.add(session) });
  }

  /** Throws `misconfigured` with what to type when this device's keys are lost or another's. */
  static async open(options: CipherOptions): Promise<Cipher> {
    const { request, user, device, clock, log } = options;
    const store = await openStore(options);
    let machine: Machine;
    try {
      machine = await Machine.open({ store, user, device, log, died: options.died });
    } catch (error) {
      store.close();
      throw error;
    }
    try {
      const requests = new Requests(machine, request);
      const rooms = new RoomStates(request, options.facts);
      const seeds = new SeedsFile(options.seedsFile);
      const signed = await crossSign({ machine, requests, request, seeds, password: options.password });
      const encryptor = new Encryptor({ machine, requests, rooms, clock });
      log.info({ device, fingerprint: machine.fingerprint, signed }, 'the keys of encrypted rooms are open');
      return new Cipher({ machine, requests, rooms, encryptor, lost: options.lost }, signed);
    } catch (error) {
      await machine.close();
      throw error;
    }
  }

  get device(): string {
    return this.#machine.device;
  }

  get mark(): string {
    return markOf(this.device, this.#machine.age);
  }

  get fingerprint(): string {
    return this.#machine.fingerprint;
  }

  /**
   * Everything of a sync answer that concerns keys; to be awaited before its events are opened. People are tracked first:
   * else the first command of somebody already in the room would seem to come from an unknown device.
   */
  async absorb(news: KeyNews, people: readonly string[]): Promise<void> {
    try {
      await this.#absorb(news, people);
      this.#behind = undefined;
    } catch (error) {
      this.#behind = error;
      if (areKeysLost(error)) this.#lost(asOpsError(error));
      throw error;
    }
  }

  async #absorb(news: KeyNews, people: readonly string[]): Promise<void> {
    await this.#track(people);
    const { to_device: toDevice, device_lists: lists } = news;
    const changed = lists?.changed ?? [];
    const left = lists?.left ?? [];
    if (changed.length + left.length > 0) this.#encryptor.devicesChanged += 1;
    const fallback = news.device_unused_fallback_key_types;
    const counts = news.device_one_time_keys_count ?? {};
    const all = JSON.stringify([toDevice?.events ?? [], changed, left, counts, fallback]);
    // The library writes its whole account each time, which a command would wait for: an answer that says what the last
    // one said, and brings nothing, is not shown to it.
    const nothing = changed.length + left.length + (toDevice?.events ?? []).length === 0 && all === this.#shown;
    if (!nothing) await this.#show(news, { changed, left });
    this.#shown = all;
    await this.#requests.pump();
  }

  async #show(news: KeyNews, { changed, left }: { changed: string[]; left: string[] }): Promise<void> {
    const fallback = news.device_unused_fallback_key_types;
    await this.#machine.call((olm) =>
      olm.receiveSyncChanges(
        JSON.stringify(news.to_device?.events ?? []),
        new DeviceLists(idsOf(changed), idsOf(left)),
        new Map(Object.entries(news.device_one_time_keys_count ?? {})),
        fallback === undefined ? undefined : new Set(fallback),
        new DecryptionSettings(TrustRequirement.Untrusted),
      ),
    );
  }

  async #track(people: readonly string[]): Promise<void> {
    const fresh = people.filter((user) => !this.#tracked.has(user));
    if (fresh.length === 0) return;
    await this.#machine.call((olm) => olm.updateTrackedUsers(idsOf(fresh)));
    await this.#requests.pump();
    for (const user of fresh) this.#tracked.add(user);
  }

  /** The room's rules have changed. */
  forgetRules(room: RoomId): void {
    this.#rooms.forget(room);
  }

  newSessions(): ReadonlySet<string> {
    const came = this.#came;
    this.#came = new Set();
    return came;
  }

  openEvent(room: RoomId, event: MatrixEvent): Promise<Opened> {
    return decrypt(this.#machine, this.#requests, room, event);
  }

  lookAt(people: readonly UserId[]): Promise<Known[]> {
    return lookAt(this.#machine, this.#requests, people);
  }

  accept(user: UserId, fingerprint: string): Promise<void> {
    return acceptIdentity(this.#machine, this.#requests, { user, fingerprint });
  }

  seal(room: RoomId, type: string, content: object): Promise<object> {
    if (this.signed !== 'signed') return Promise.reject(unsigned(this.signed));
    if (this.#behind !== undefined) return Promise.reject(deferred(this.#behind));
    return this.#encryptor.encrypt(room, type, content);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#machine.close();
  }
}

/** Keys go to signed devices only, and so only from one. */
const unsigned = (why: Exclude<Signed, 'signed'>): OpsError =>
  new OpsError(
    'misconfigured',
    "The bot's device is not signed by its own identity, so nobody would trust what it says.",
    {
      hint:
        why === 'no-seeds'
          ? 'Put back cross-signing.json into dataDir from a backup, or set matrix.password: then it makes a new identity. Then start it again.'
          : 'Set matrix.password, which the homeserver asks for, and start it again.',
    },
  );
