import { DeviceId, initAsync, OlmMachine, StoreHandle, UserId } from '@matrix-org/matrix-sdk-crypto-wasm';
import { asOpsError, OpsError } from '#domain/errors.ts';
import type { Log } from '#domain/log.ts';
import { inTurn } from './in-turn.ts';
import type { KeyStore } from './key-store.ts';
import { offerIndexedDb } from './memory-database.ts';

/**
 * The crypto library over the key store: one call at a time, and what a call changed is on disk before it returns. No
 * request to the homeserver inside a call.
 */
export class Machine {
  readonly user: string;
  readonly device: string;
  readonly #olm: OlmMachine;
  readonly #store: KeyStore;
  readonly #turn = inTurn();
  readonly #died: (why: OpsError, panic: boolean) => void;
  #dead: OpsError | undefined;

  private constructor(
    olm: OlmMachine,
    options: { store: KeyStore; user: string; device: string; died: (why: OpsError, panic: boolean) => void },
  ) {
    this.#olm = olm;
    this.#store = options.store;
    this.#died = options.died;
    this.user = options.user;
    this.device = options.device;
  }

  /** `died`: the keys can't be used any more by this process. */
  static async open(options: {
    store: KeyStore;
    user: string;
    device: string;
    log: Log;
    died: (why: OpsError, panic: boolean) => void;
  }): Promise<Machine> {
    const { store, user, device, log } = options;
    offerIndexedDb();
    await initAsync();
    await store.hydrate();
    const handle = await StoreHandle.open(store.name, undefined, logger(log));
    const olm = await OlmMachine.initFromStore(new UserId(user), new DeviceId(device), handle, logger(log));
    // The bot answers no requests for keys and sends none: it has one device.
    olm.roomKeyForwardingEnabled = false;
    olm.roomKeyRequestsEnabled = false;
    // Before anything of them is uploaded.
    await store.begin({ user, device });
    return new Machine(olm, options);
  }

  get fingerprint(): string {
    return this.#olm.identityKeys.ed25519.toBase64();
  }

  get age(): number {
    return this.#store.age;
  }

  get dead(): OpsError | undefined {
    return this.#dead;
  }

  /** To be called before the first `call`; the callbacks must return at once. */
  listen(callbacks: { roomKey: (room: string, session: string) => void }): void {
    this.#olm.registerRoomKeyUpdatedCallback(async (keys) => {
      for (const key of keys) callbacks.roomKey(key.roomId.toString(), key.sessionId);
    });
  }

  /** See `KeyStore.firstHeard`; inside a call only. */
  firstHeard(session: string, message: number, event: string): string {
    return this.#store.firstHeard(session, message, event);
  }

  /** `lasting: false` for what a new process does without: see `KeyStore.commit`. */
  call<T>(work: (olm: OlmMachine) => Promise<T>, { lasting = true } = {}): Promise<T> {
    return this.#turn(async () => {
      if (this.#dead) throw this.#dead;
      try {
        return await work(this.#olm);
      } catch (error) {
        // After a panic the library's memory is in no state that anybody knows.
        if (error instanceof Error && error.name === 'RuntimeError')
          throw this.#die('The crypto library has failed.', error, true);
        throw error;
      } finally {
        await this.#commit(lasting);
      }
    });
  }

  async #commit(lasting: boolean): Promise<void> {
    if (this.#dead) return;
    try {
      await this.#store.commit(lasting);
    } catch (error) {
      throw this.#die("The bot's keys cannot be written.", error, false);
    }
  }

  #die(message: string, cause: unknown, panic: boolean): OpsError {
    this.#dead = new OpsError('unavailable', message, {
      hint: 'Look at the disk of dataDir.',
      cause: asOpsError(cause),
    });
    this.#store.close();
    this.#died(this.#dead, panic);
    return this.#dead;
  }

  async close(): Promise<void> {
    await this.#turn(async () => {
      if (this.#dead) return;
      this.#dead = new OpsError('cancelled', 'The bot is stopping.');
      this.#olm.close();
      this.#store.close();
    });
  }
}

/** What the library says of itself goes to the log's quietest levels; it names no secrets. */
const logger = (log: Log) => ({
  debug() {},
  info() {},
  warn: (line: unknown): void => log.debug({ crypto: String(line) }, 'crypto'),
  error: (line: unknown): void => log.debug({ crypto: String(line) }, 'crypto'),
});
