import { OpsError } from '#domain/errors.ts';
import { RoomClient } from './client.ts';
import { Hearing } from './hearing.ts';
import { type View, nameOf } from './message-rows.ts';
import { reactionTarget } from './reaction-target.ts';
import { refusalOf } from './request.ts';
import type { PartAct } from './typed.ts';
import { type Change, type RoomEvent, Timeline, sameEmoji } from './timeline.ts';

export type PromptPerson = { name: string; user: string; token: string };
export type SessionOptions = {
  homeserverUrl: string;
  room: string;
  people: readonly PromptPerson[];
  /** Name of who types first. */
  me: string;
  botUser: string;
  /** Stops, starts or waits for a part of the sandbox. */
  operate?: ((act: PartAct, part: string) => Promise<void>) | undefined;
};
export type SessionView = {
  /** `past`: from before this session, as it is now. */
  onChange: (change: Change, past: boolean) => void;
  /** News of the prompt itself: a lost connection, an ended session. */
  onNote: (text: string) => void;
};

const timeOf = (atMs: number): string => new Date(atMs).toTimeString().slice(0, 5);

/** The room with its people: each who types has a client of their own; what any of them sees is the one timeline. */
export class Session implements AsyncDisposable {
  readonly timeline = new Timeline();
  readonly hearing: Hearing;
  readonly names: ReadonlyMap<string, string>;
  private readonly options: SessionOptions;
  private readonly clients = new Map<string, RoomClient>();
  private readonly ended = new Set<string>();
  private seenBy: SessionView | undefined;
  private person: PromptPerson;

  /** Throws `invalid` when `me` is none of the people. */
  constructor(options: SessionOptions) {
    const me = options.people.find((person) => person.name === options.me);
    if (me === undefined) throw new OpsError('invalid', `There is nobody called ${options.me} to type as.`);
    this.options = options;
    this.person = me;
    this.hearing = new Hearing(options.botUser);
    this.names = new Map(options.people.map(({ user, name }) => [user, name]));
  }

  /**
   * Follows the room from here on, after up to `history` events of before. Throws when the homeserver doesn't answer, or
   * doesn't take the first person's token.
   */
  async begin(view: SessionView, history: number): Promise<void> {
    this.seenBy = view;
    await this.client(this.person, history);
  }

  view(): View {
    return { me: this.person.user, bot: this.options.botUser, names: this.names, timeOf };
  }

  get who(): string {
    return this.person.name;
  }

  get peopleNames(): string[] {
    return this.options.people.map((person) => person.name);
  }

  /** From now on this person types. Throws, and changes nothing, when their session can't be opened. */
  async as(name: string): Promise<void> {
    const person = this.options.people.find((other) => other.name === name);
    if (person === undefined) throw new OpsError('notFound', `There is nobody called ${name} to type as.`);
    await this.client(person);
    this.person = person;
  }

  async operate(act: PartAct, part: string): Promise<void> {
    const { operate } = this.options;
    if (operate === undefined) throw new OpsError('invalid', 'The parts of this sandbox cannot be touched from here.');
    await operate(act, part);
  }

  async say(text: string): Promise<void> {
    await (await this.client(this.person)).sendText(text);
  }

  /** Throws `notFound` when the bot hasn't said anything yet. */
  async thread(text: string): Promise<void> {
    const said = [...this.timeline.messages.values()].filter((message) => !message.redacted);
    const last = said.findLast((message) => message.sender === this.options.botUser);
    if (last === undefined) throw new OpsError('notFound', 'The bot has said nothing yet whose thread could be used.');
    const root = last.root ?? last.id;
    const after = said.findLast((message) => message.root === root)?.id ?? root;
    await (await this.client(this.person)).sendText(text, { root, after });
  }

  /** Throws `notFound` when there is nothing to react to. A reaction that stands already stays. */
  async react(emoji: string, on?: string): Promise<void> {
    const target = reactionTarget(this.timeline, this.options.botUser, sameEmoji(emoji), on);
    if (target === undefined) {
      const what = on === undefined ? 'message of the bot' : `message of the bot about ${on}`;
      throw new OpsError('notFound', `There is no ${what} yet that ${emoji} could go on.`);
    }
    if ([...(target.reactions.get(sameEmoji(emoji))?.values() ?? [])].includes(this.person.user)) {
      throw new OpsError('conflict', `${this.who} has set ${emoji} there already.`);
    }
    await (await this.client(this.person)).react(target.id, emoji);
  }

  describePeople(): string {
    const lines = this.options.people.map(({ name, user }) => {
      const state = this.ended.has(name) ? ' (session ended)' : '';
      return `${name === this.who ? '→' : ' '} ${name}  ${user}${state}`;
    });
    return [...lines, `  the bot: ${nameOf(this.options.botUser, this.view())}  ${this.options.botUser}`].join('\n');
  }

  private async client(person: PromptPerson, history = 0): Promise<RoomClient> {
    const known = this.clients.get(person.name);
    if (known !== undefined) return known;
    const { homeserverUrl, room } = this.options;
    const client = await RoomClient.open({ homeserverUrl, room, user: person.user, token: person.token });
    this.clients.set(person.name, client);
    try {
      const before = await client.follow(
        {
          onEvents: (events) => this.take(events),
          onLink: (state) => {
            if (person.name === this.who) this.seenBy?.onNote(linkNotes[state]);
          },
          onEnd: (error) => this.end(person, error),
        },
        history,
      );
      // All of them first: a message of before is shown once, as it is now.
      const past = before.flatMap((event) => this.timeline.apply(event));
      for (const change of past) if (change.kind === 'message') this.seenBy?.onChange(change, true);
    } catch (error) {
      this.clients.delete(person.name);
      await client[Symbol.asyncDispose]();
      throw error;
    }
    return client;
  }

  private take(events: readonly RoomEvent[]): void {
    for (const event of events) {
      for (const change of this.timeline.apply(event)) {
        this.hearing.take(change);
        this.seenBy?.onChange(change, false);
      }
    }
  }

  private end(person: PromptPerson, error: OpsError): void {
    this.ended.add(person.name);
    const why = refusalOf(error)?.errcode ?? error.message;
    const next = person.name === this.who ? ' Type as somebody else with /as.' : '';
    this.seenBy?.onNote(`· The homeserver ended the session of ${person.name} (${why}).${next}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.clients.values()].map((client) => client[Symbol.asyncDispose]()));
  }
}

const linkNotes = {
  lost: '· The homeserver does not answer; trying again…',
  back: '· The homeserver answers again.',
};
