import { randomUUID } from 'node:crypto';
import { OpsError } from '#domain/errors.ts';
import { Requests } from './request.ts';
import { type Feed, RoomSync } from './sync.ts';
import type { RoomEvent } from './timeline.ts';

export type ClientOptions = { homeserverUrl: string; room: string; user: string; token: string };

/** A session by password. Throws `denied` when the homeserver doesn't take it. */
export async function login(homeserverUrl: string, user: string, password: string): Promise<string> {
  const answer = await new Requests(homeserverUrl, undefined).patiently({
    method: 'POST',
    path: '/_matrix/client/v3/login',
    body: {
      type: 'm.login.password',
      identifier: { type: 'm.id.user', user },
      password,
      initial_device_display_name: 'Opsroom prompt',
    },
    doing: `log in as ${user}`,
  });
  if (typeof answer['access_token'] !== 'string') {
    throw new OpsError('unavailable', `The homeserver answered the login of ${user} without a token.`);
  }
  return answer['access_token'];
}

/** One person in one room: a Matrix client over plain HTTP, without encryption. Disposing it ends its sync. */
export class RoomClient implements AsyncDisposable {
  readonly user: string;
  private readonly room: string;
  private readonly requests: Requests;
  private readonly stop = new AbortController();
  private readonly sync: RoomSync;
  private following: Promise<void> | undefined;

  private constructor(options: ClientOptions) {
    this.user = options.user;
    this.room = options.room;
    this.requests = new Requests(options.homeserverUrl, options.token);
    this.sync = new RoomSync(this.requests, options.room, options.user, this.stop.signal);
  }

  /** Proves that the token is the person's. Throws `denied` or `misconfigured` when it isn't. */
  static async open(options: ClientOptions): Promise<RoomClient> {
    const client = new RoomClient(options);
    const self = await client.whoami();
    if (self !== options.user) {
      throw new OpsError('misconfigured', `The token given for ${options.user} is one of ${self}.`);
    }
    return client;
  }

  async whoami(): Promise<string> {
    const answer = await this.requests.patiently({
      method: 'GET',
      path: '/_matrix/client/v3/account/whoami',
      patienceMs: 10_000,
      doing: `open a session as ${this.user}`,
      signal: this.stop.signal,
    });
    return String(answer['user_id']);
  }

  /**
   * Takes up to `history` of the newest events, then follows the room. `onEnd` hears why when the homeserver ends the
   * session; after that nothing more comes.
   */
  async follow(feed: Feed & { onEnd: (error: OpsError) => void }, history: number): Promise<RoomEvent[]> {
    if (this.following !== undefined) throw new OpsError('internal', `${this.user} follows the room already.`);
    const before = await this.sync.begin(history);
    this.following = this.sync.run(feed).catch((error: unknown) => {
      feed.onEnd(error instanceof OpsError ? error : new OpsError('internal', 'The sync broke.', { cause: error }));
    });
    return before;
  }

  /** Gives the event id. */
  sendText(text: string, thread?: { root: string; after: string }): Promise<string> {
    // Without m.mentions the homeserver would look for names in the body and notify by them.
    const content: Record<string, unknown> = { msgtype: 'm.text', body: text, 'm.mentions': {} };
    if (thread !== undefined) {
      content['m.relates_to'] = {
        rel_type: 'm.thread',
        event_id: thread.root,
        is_falling_back: true,
        'm.in_reply_to': { event_id: thread.after },
      };
    }
    return this.send('m.room.message', content);
  }

  react(event: string, emoji: string): Promise<string> {
    return this.send('m.reaction', { 'm.relates_to': { rel_type: 'm.annotation', event_id: event, key: emoji } });
  }

  /** The same transaction id at every try, so the homeserver takes it once. */
  async send(type: string, content: Record<string, unknown>): Promise<string> {
    const answer = await this.requests.patiently({
      method: 'PUT',
      path: `/_matrix/client/v3/rooms/${encodeURIComponent(this.room)}/send/${type}/${randomUUID()}`,
      body: content,
      doing: `send as ${this.user}`,
      signal: this.stop.signal,
    });
    return String(answer['event_id']);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop.abort();
    await this.following;
  }
}
