import { parseUserId, serverOf, type UserId } from '#domain/accounts.ts';
import type { Clock } from '#domain/clock.ts';
import { isRoomAlias, parseRoomId, type RoomId } from '#domain/rooms.ts';
import type { Scrubber } from '#domain/scrubber.ts';
import type { Secret } from '#domain/secret.ts';
import { type Answer, type Ask, Homeserver, part, refused } from '../init/homeserver.ts';
import type { Settings } from '../settings.ts';
import type { SecretPlaces } from './places.ts';

/** What mending works on: the tokens as they are now, and the homeserver by both of its addresses. */
export class MendWorld {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly places: SecretPlaces;
  readonly client: Homeserver;
  readonly synapse: Homeserver;
  botToken: Secret;
  adminToken: Secret;
  /** Whose admin token it is; undefined when it doesn't work. */
  admin: UserId | undefined;
  password: Secret | undefined;
  /** A credential was changed: a bot that runs holds the old one. */
  renewed = false;
  readonly #scrubber: Scrubber;
  #room: RoomId | undefined;

  constructor(options: {
    settings: Settings;
    clock: Clock;
    places: SecretPlaces;
    scrubber: Scrubber;
    stop: AbortSignal;
  }) {
    const { settings, clock, places, stop } = options;
    this.settings = settings;
    this.clock = clock;
    this.places = places;
    this.#scrubber = options.scrubber;
    this.client = new Homeserver(settings.matrix.homeserverUrl, clock, stop);
    this.synapse = new Homeserver(settings.synapse.url, clock, stop);
    this.botToken = settings.matrix.accessToken;
    this.adminToken = settings.synapse.adminToken;
    this.password = settings.matrix.password;
  }

  get bot(): UserId {
    return this.settings.matrix.userId;
  }

  get server(): string {
    return serverOf(this.bot);
  }

  get deviceName(): string {
    return `opsroom ${new Date(this.clock.now()).toISOString().slice(0, 19)}Z`;
  }

  /** A secret that mending made: hidden in whatever is shown from here on. */
  keep(secret: Secret, name: string): Secret {
    this.#scrubber.keep(secret, name);
    return secret;
  }

  asBot(ask: Omit<Ask, 'token'>): Promise<Answer> {
    return this.client.ask({ ...ask, token: this.botToken });
  }

  /** Throws what Synapse said when it refuses. Only while `admin` is known. */
  async asAdmin(ask: Omit<Ask, 'token'>): Promise<Record<string, unknown>> {
    const answer = await this.synapse.ask({ ...ask, token: this.adminToken });
    if (answer.ok) return answer.data;
    throw refused(ask.doing, answer);
  }

  /** The ops room's id. */
  async room(): Promise<RoomId> {
    const { opsRoom } = this.settings.matrix;
    if (!isRoomAlias(opsRoom)) return parseRoomId(opsRoom);
    const path = `/_matrix/client/v3/directory/room/${part(opsRoom)}`;
    this.#room ??= parseRoomId(
      String((await this.client.must({ method: 'GET', path, doing: `find ${opsRoom}` }))['room_id']),
    );
    return this.#room;
  }
}

export const ownerIn = (answer: Answer): UserId => parseUserId(String(answer.data['user_id']));
