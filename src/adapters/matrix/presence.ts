import type { UserId } from '#domain/accounts.ts';
import type { Clock } from '#domain/clock.ts';
import { asOpsError, type OpsError } from '#domain/errors.ts';
import type { Log } from '#domain/log.ts';
import type { RoomId } from '#domain/rooms.ts';
import type { Request } from './client.ts';
import type { MatrixEvent } from './events.ts';

const joinEveryMs = 60_000;
const lookEveryMs = 1000;

type Rooms = {
  join?: Record<string, unknown>;
  invite?: Record<string, { invite_state?: { events?: MatrixEvent[] } }>;
  leave?: Record<string, { timeline?: { events?: MatrixEvent[] }; state?: { events?: MatrixEvent[] } }>;
};

export type PresenceOptions = {
  request: Request;
  bot: UserId;
  room: RoomId;
  clock: Clock;
  log: Log;
  /** Whose invitation into the ops room is taken. */
  isOwner: (user: UserId) => boolean;
  /** In the room again. */
  back: () => void;
};

type State = { kind: 'joined' } | { kind: 'doubted' } | { kind: 'mute' | 'out'; why: string };

/**
 * Whether the bot is in its room and may speak there. Thrown out, it tries to come back once a minute, at once when an owner
 * invites it; every other invitation is declined.
 */
export class RoomPresence {
  readonly #options: PresenceOptions;
  #state: State = { kind: 'joined' };
  #triedMs = -Infinity;
  #invited = false;
  #declinedMs = -Infinity;
  /** Invitations that are not taken and stand still, and who sent them. */
  readonly #unwanted = new Map<string, string | undefined>();

  constructor(options: PresenceOptions) {
    this.#options = options;
  }

  state(): { ready: boolean; note?: string } {
    const state = this.#state;
    return state.kind === 'mute' || state.kind === 'out' ? { ready: false, note: state.why } : { ready: true };
  }

  /** What a sync says of rooms. Must return at once. */
  heard(rooms: object | undefined): void {
    const { join, invite, leave } = (rooms ?? {}) as Rooms;
    const { room, bot, isOwner } = this.#options;
    if (leave?.[room] !== undefined) this.#thrownOut(leave[room]);
    if (join?.[room] !== undefined && this.#state.kind === 'out') this.#isBack();
    for (const [id, { invite_state: state }] of Object.entries(invite ?? {})) {
      const own = state?.events?.find((event) => event.type === 'm.room.member' && event.state_key === bot);
      if (id === room && own?.sender !== undefined && isOwner(own.sender as UserId)) this.#invited = true;
      else {
        this.#unwanted.set(id, own?.sender);
        void this.#decline(id);
      }
    }
  }

  /** The room did not take what was said. */
  refused(error: OpsError): void {
    if (error.kind === 'denied' && this.#state.kind === 'joined') this.#state = { kind: 'doubted' };
  }

  /** The room took what was said. */
  spoke(): void {
    if (this.#state.kind !== 'joined') this.#state = { kind: 'joined' };
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    while (!signal.aborted) {
      await this.once().catch((error: unknown) => {
        log.warn({ why: asOpsError(error).message }, 'the bot cannot see whether it is in its room');
      });
      await clock.sleep(lookEveryMs, signal).catch(() => {});
    }
  }

  async once(): Promise<void> {
    const { clock } = this.#options;
    await this.#declineAgain();
    if (this.#state.kind === 'joined') return;
    const waited = clock.monotonicMs() - this.#triedMs >= joinEveryMs;
    if (!waited && !this.#invited) return;
    this.#triedMs = clock.monotonicMs();
    this.#invited = false;
    if (this.#state.kind === 'out') return this.#join();
    const member = await this.#membership();
    if (member === 'join') {
      const why = `it is in ${this.#options.room} and may not speak there. Give it the power to send messages`;
      this.#state = { kind: 'mute', why };
      return;
    }
    this.#state = { kind: 'out', why: `it is not in ${this.#options.room} (${member}). Invite it` };
    await this.#join();
  }

  async #membership(): Promise<string> {
    const { request, room, bot } = this.#options;
    const path = `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/state/m.room.member/${encodeURIComponent(bot)}`;
    try {
      return String((await request('GET', path))['membership']);
    } catch (error) {
      const { kind } = asOpsError(error);
      if (kind === 'denied' || kind === 'notFound') return 'left';
      throw error;
    }
  }

  async #join(): Promise<void> {
    const { request, room, log } = this.#options;
    try {
      await request('POST', `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/join`, null, {});
      this.#isBack();
    } catch (error) {
      const { kind, message } = asOpsError(error);
      log.warn({ room, kind, why: message }, 'the bot is out of its room and cannot come back yet');
    }
  }

  #isBack(): void {
    const { log, room, back } = this.#options;
    this.#state = { kind: 'joined' };
    this.#invited = false;
    log.info({ room }, 'the bot is in its room again');
    back();
  }

  #thrownOut({ timeline, state }: NonNullable<Rooms['leave']>[string]): void {
    const { bot, room, log } = this.#options;
    const events = [...(state?.events ?? []), ...(timeline?.events ?? [])];
    const last = events.findLast((event) => event.type === 'm.room.member' && event.state_key === bot);
    const how = last?.content?.['membership'] === 'ban' ? 'banned' : 'removed';
    const by = last?.sender === undefined || last.sender === bot ? '' : ` by ${last.sender}`;
    this.#state = {
      kind: 'out',
      why: `it was ${how}${by} from ${room}. Invite it again${how === 'banned' ? ' after lifting the ban' : ''}`,
    };
    log.error({ room, by: last?.sender, how }, 'the bot was thrown out of its room');
  }

  /** A sync names an invitation once: one that could not be declined is tried again. */
  async #declineAgain(): Promise<void> {
    const now = this.#options.clock.monotonicMs();
    if (this.#unwanted.size === 0 || now - this.#declinedMs < joinEveryMs) return;
    await Promise.all([...this.#unwanted.keys()].map((room) => this.#decline(room)));
  }

  async #decline(room: string): Promise<void> {
    const { request, log, clock } = this.#options;
    const by = this.#unwanted.get(room);
    this.#declinedMs = clock.monotonicMs();
    try {
      await request('POST', `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/leave`, null, {});
      this.#unwanted.delete(room);
      log.info({ room, by }, 'an invitation was declined');
    } catch (error) {
      const { kind, message } = asOpsError(error);
      // It is gone already, or was never there.
      if (kind === 'denied' || kind === 'notFound') this.#unwanted.delete(room);
      log.warn({ room, by, why: message }, 'an invitation could not be declined');
    }
  }
}
