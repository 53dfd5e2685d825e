import { join } from 'node:path';
import { existsSync } from 'node:fs';
import type { Clock } from '#domain/clock.ts';
import { asOpsError, OpsError } from '#domain/errors.ts';
import type { RoomFacts } from '#domain/inbox.ts';
import type { Log } from '#domain/log.ts';
import type { RoomId } from '#domain/rooms.ts';
import type { Request } from '../client.ts';
import type { Cipher } from './cipher.ts';
import { areKeysLost } from './keys-lost.ts';

export type EnvelopesOptions = {
  request: Request;
  user: string;
  password: string | undefined;
  dataDir: string;
  mode: 'auto' | 'required' | 'off';
  /** What the sync has learnt of a room. */
  facts: (room: RoomId) => RoomFacts | undefined;
  /** Whether that is news: before the first sync, and while cut off, people may leave and a room be encrypted unnoticed. */
  hears: () => boolean;
  /** See `OwnKeys.noted`. */
  noted: () => string | undefined;
  clock: Clock;
  log: Log;
  /** This process can't go on. */
  fatal: (why: OpsError) => void;
  /** The device is to be given up. */
  lost: (why: OpsError) => void;
};

/**
 * Between the sync and the inbox, and between the outbox and the client. The crypto library (26 MB and some tenths of a
 * second) is loaded when the first encrypted room is met, and never in the clear.
 */
export class Envelopes implements AsyncDisposable {
  readonly #options: EnvelopesOptions;
  #opening: Promise<Cipher> | undefined;
  #closed = false;

  constructor(options: EnvelopesOptions) {
    this.#options = options;
  }

  /** Is it said to be encrypted? Once it was, it stays so. Throws when nobody can tell: then nothing may be said there. */
  async isEncrypted(room: RoomId): Promise<boolean> {
    if (!this.reads) return false;
    const facts = this.#options.facts(room);
    if (facts?.encrypted === true) return true;
    const { request, hears } = this.#options;
    if (facts !== undefined && hears()) return false;
    try {
      await request('GET', `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/state/m.room.encryption`);
      return true;
    } catch (error) {
      if (error instanceof OpsError && error.kind === 'notFound' && error.cause === 'M_NOT_FOUND') return false;
      throw error;
    }
  }

  get reads(): boolean {
    return this.#options.mode !== 'off';
  }

  /** A device that has keys goes on reading what is sent to it, whatever room the bot is in now. */
  get hasKeys(): boolean {
    return this.reads && existsSync(this.#storeFile);
  }

  get #storeFile(): string {
    return join(this.#options.dataDir, 'crypto.db');
  }

  /** As it is sent: itself in a clear room, an envelope in an encrypted one. */
  async seal(room: RoomId, type: string, content: object): Promise<{ type: string; content: object }> {
    if (!(await this.isEncrypted(room))) return { type, content };
    const cipher = await this.cipher();
    return { type: 'm.room.encrypted', content: await cipher.seal(room, type, content) };
  }

  /** Opens the keys at the first call. A failure is thrown, and the next call tries again. */
  cipher(): Promise<Cipher> {
    if (this.#closed) return Promise.reject(new OpsError('cancelled', 'The bot is stopping.'));
    if (this.#opening === undefined) {
      const opening = this.#open();
      this.#opening = opening;
      opening.catch((error: unknown) => {
        if (this.#opening === opening) this.#opening = undefined;
        if (areKeysLost(error)) this.#options.lost(asOpsError(error));
      });
    }
    return this.#opening;
  }

  async #open(): Promise<Cipher> {
    const { lost, request, user, dataDir, facts, hears, noted, clock, log, password } = this.#options;
    const [{ Cipher }, device] = await Promise.all([import('./cipher.ts'), deviceOf(request)]);
    const died = (why: OpsError, panic: boolean): void => {
      this.#opening = undefined;
      if (panic) this.#options.fatal(why);
    };
    const seedsFile = join(dataDir, 'cross-signing.json');
    const storeFile = this.#storeFile;
    return Cipher.open({
      request,
      user,
      device,
      password,
      storeFile,
      seedsFile,
      facts: (room) => (hears() ? facts(room) : undefined),
      noted,
      clock,
      log,
      died,
      lost,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    const cipher = await this.#opening?.catch(() => undefined);
    await cipher?.[Symbol.asyncDispose]();
  }
}

/** The device of the access token; without one there is nothing that keys could belong to. */
async function deviceOf(request: Request): Promise<string> {
  const { device_id: device } = await request('GET', '/_matrix/client/v3/account/whoami');
  if (typeof device === 'string') return device;
  throw new OpsError('misconfigured', "The bot's access token has no device, so it cannot read an encrypted room.", {
    hint: 'It was made by an administrator. Make one by logging in with the password: npm start -- init does.',
  });
}
