import {
  CollectStrategy,
  EncryptionSettings,
  type OlmMachine,
  RoomId as LibraryRoomId,
} from '@matrix-org/matrix-sdk-crypto-wasm';
import type { Clock } from '#domain/clock.ts';
import { asOpsError, OpsError } from '#domain/errors.ts';
import type { RoomId } from '#domain/rooms.ts';
import { idsOf } from './ids.ts';
import { inTurn } from './in-turn.ts';
import { indexOf } from './message-index.ts';
import type { Machine } from './machine.ts';
import type { Requests } from './requests.ts';
import type { RoomState, RoomStates } from './room-state.ts';

/** The key in use, known since its first message, and what was true of people and devices when it was shared. */
type Session = { id: string; basis: string; born: Moment; lifeMs: number; messagesLeft: number };
/** By both clocks: the library knows only the wall's, which people and NTP set. */
type Moment = { wallMs: number; monotonicMs: number };

const earlyMs = 60_000;
// The library counts a key's age in whole seconds.
const jumpMs = 1000;

/**
 * Puts what the bot says into the envelope. The room's key goes to the devices of members that their owners have signed,
 * and to nobody else; a failure on the way defers the message, so that it never goes to fewer than it should.
 */
export class Encryptor {
  readonly #machine: Machine;
  readonly #requests: Requests;
  readonly #rooms: RoomStates;
  readonly #clock: Clock;
  readonly #turns = new Map<RoomId, ReturnType<typeof inTurn>>();
  readonly #sessions = new Map<RoomId, Session>();
  readonly #begun = new Set<RoomId>();
  #lastWallMs = -Infinity;
  /** Counts what the sync says of devices. */
  devicesChanged = 0;

  constructor(parts: { machine: Machine; requests: Requests; rooms: RoomStates; clock: Clock }) {
    this.#machine = parts.machine;
    this.#requests = parts.requests;
    this.#rooms = parts.rooms;
    this.#clock = parts.clock;
  }

  /** The content of the `m.room.encrypted` event. Throws `unavailable` when it can't be said safely now. */
  encrypt(room: RoomId, type: string, content: object): Promise<object> {
    let turn = this.#turns.get(room);
    if (turn === undefined) this.#turns.set(room, (turn = inTurn()));
    return turn(async () => {
      try {
        return await this.#encrypt(room, type, content);
      } catch (error) {
        // The key may have gone to some of them only.
        this.#sessions.delete(room);
        throw deferred(error);
      }
    });
  }

  async #encrypt(room: RoomId, type: string, content: object): Promise<object> {
    const state = await this.#rooms.get(room);
    const born = this.#moment();
    this.#heedClock(born);
    const before = this.#sessions.get(room);
    const basis = this.#usable(before, state) ? before.basis : await this.#share(room, state);
    // A process never goes on with the key of another, so how far this one is need not outlive a power cut.
    const text = await this.#machine.call(
      (olm) => {
        this.#requireSteadyClock(born);
        return olm.encryptRoomEvent(new LibraryRoomId(room), type, JSON.stringify(content));
      },
      { lasting: false },
    );
    const sealed = JSON.parse(text) as { session_id: string; ciphertext: string };
    if (before?.id === sealed.session_id) {
      before.messagesLeft -= 1;
      before.basis = basis;
    } else if (indexOf(sealed.ciphertext) === 0) {
      this.#sessions.set(room, {
        id: sealed.session_id,
        basis,
        born,
        lifeMs: state.rotationPeriodMs - earlyMs,
        messagesLeft: state.rotationMessages - 2,
      });
    } else this.#sessions.delete(room);
    return sealed;
  }

  #moment(): Moment {
    return { wallMs: this.#clock.now(), monotonicMs: this.#clock.monotonicMs() };
  }

  /** A key that is younger than nothing is an expired one to the library: after the clock was set back, new keys. */
  #heedClock({ wallMs }: Moment): void {
    if (wallMs < this.#lastWallMs) this.#beginAnew();
    this.#lastWallMs = wallMs;
  }

  #beginAnew(): void {
    this.#sessions.clear();
    this.#begun.clear();
  }

  /** What was looked at by one clock must not be used by another. */
  #requireSteadyClock(since: Moment): void {
    const { wallMs, monotonicMs } = this.#moment();
    const jump = wallMs - since.wallMs - (monotonicMs - since.monotonicMs);
    if (wallMs >= since.wallMs && Math.abs(jump) < jumpMs) return;
    this.#beginAnew();
    throw new OpsError('unavailable', 'The clock was set meanwhile.', { effect: 'none' });
  }

  /** May the key be used without looking at everybody's devices again? An expired one would make the library panic. */
  #usable(session: Session | undefined, state: RoomState): session is Session {
    if (session === undefined || session.messagesLeft <= 0) return false;
    const { wallMs, monotonicMs } = this.#moment();
    const ageMs = Math.max(wallMs - session.born.wallMs, monotonicMs - session.born.monotonicMs);
    return ageMs < session.lifeMs && session.basis === this.#basis(state);
  }

  /** The same as long as nobody came or went, and no device either. */
  #basis(state: RoomState): string {
    return JSON.stringify([this.devicesChanged, this.#requests.seen, state]);
  }

  /** Gives what it was based on. */
  async #share(room: RoomId, state: RoomState): Promise<string> {
    const users = () => idsOf(state.members);
    await this.#machine.call((olm) => olm.updateTrackedUsers(users()));
    await this.#requests.pump();
    // What changes from here on is for the next message.
    const basis = this.#basis(state);
    const claim = await this.#machine.call((olm) => olm.getMissingSessions(users()));
    if (claim) await this.#requests.send(claim);
    const shares = await this.#machine.call(async (olm) => {
      await this.#begin(olm, room);
      return olm.shareRoomKey(new LibraryRoomId(room), users(), settingsOf(state));
    });
    for (const share of shares) await this.#requests.send(share);
    return basis;
  }

  /**
   * A key of an earlier process is not used on: if the keys on disk were an older copy, its message indexes would be used
   * twice.
   */
  async #begin(olm: OlmMachine, room: RoomId): Promise<void> {
    if (this.#begun.has(room)) return;
    await olm.invalidateGroupSession(new LibraryRoomId(room));
    this.#begun.add(room);
  }
}

function settingsOf(state: RoomState): EncryptionSettings {
  const settings = new EncryptionSettings();
  settings.historyVisibility = state.visibility;
  settings.rotationPeriod = BigInt(state.rotationPeriodMs) * 1000n; // microseconds
  settings.rotationPeriodMessages = BigInt(state.rotationMessages);
  settings.sharingStrategy = CollectStrategy.identityBasedStrategy();
  return settings;
}

/** What is in the way of the keys is in the way of the message: it is tried again, and not lost. */
export function deferred(error: unknown): OpsError {
  const ops = asOpsError(error);
  if (['unavailable', 'limited', 'cancelled', 'misconfigured'].includes(ops.kind)) return ops;
  return new OpsError('unavailable', `The message cannot be encrypted now: ${ops.message}`, { cause: error });
}
