import { OpsError } from '#domain/errors.ts';
import type { RoomId } from '#domain/rooms.ts';
import { parseRoomId } from '#domain/rooms.ts';
import type { Request } from './client.ts';
import type { MatrixEvent } from './events.ts';
import type { RoundTripHands } from './round-trip.ts';

type Waiting = { is: (event: { id: string; body: string | undefined }) => boolean; found: () => void };

/** A private room of the bot alone, where it measures how long a message takes to come back in its own sync. */
export class ProbeRoom {
  readonly #request: Request;
  readonly #remember: (room: RoomId) => void;
  readonly #waiting = new Set<Waiting>();
  #room: RoomId | undefined;
  #making: Promise<RoomId> | undefined;
  #count = 0;

  /** `known`: the room of an earlier start. */
  constructor(options: { request: Request; known: RoomId | undefined; remember: (room: RoomId) => void }) {
    this.#request = options.request;
    this.#room = options.known;
    this.#remember = options.remember;
  }

  rooms(): RoomId[] {
    return this.#room === undefined ? [] : [this.#room];
  }

  seen(event: MatrixEvent): void {
    const body = event.content?.['body'];
    const shown = { id: event.event_id ?? '', body: typeof body === 'string' ? body : undefined };
    for (const waiting of this.#waiting) if (waiting.is(shown)) waiting.found();
  }

  /** Makes the room when there is none yet. */
  open(): Promise<RoomId> {
    if (this.#room !== undefined) return Promise.resolve(this.#room);
    this.#making ??= this.#make().finally(() => {
      this.#making = undefined;
    });
    return this.#making;
  }

  async #make(): Promise<RoomId> {
    const body = { preset: 'private_chat', name: 'Opsroom probe', visibility: 'private' };
    const room = parseRoomId(
      String((await this.#request('POST', '/_matrix/client/v3/createRoom', null, body))['room_id']),
    );
    this.#room = room;
    this.#remember(room);
    return room;
  }

  hands(clock: RoundTripHands['clock']): RoundTripHands {
    return {
      clock,
      send: async (body) => {
        const room = await this.open();
        this.#count += 1;
        const path = `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/send/m.room.message/probe${clock.now()}.${this.#count}`;
        const answer = await this.#request('PUT', path, null, { msgtype: 'm.notice', body, 'm.mentions': {} });
        return String(answer['event_id']);
      },
      waitFor: (is, signal) =>
        new Promise((resolve, reject) => {
          const waiting: Waiting = {
            is,
            found: () => {
              this.#waiting.delete(waiting);
              resolve();
            },
          };
          this.#waiting.add(waiting);
          signal.addEventListener('abort', () => {
            this.#waiting.delete(waiting);
            reject(new OpsError('cancelled', 'The probe was given up.'));
          });
        }),
    };
  }
}
