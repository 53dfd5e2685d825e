/** What a room event may say, as far as the prompt reads it; everything in it comes from outside. */
export type RoomEvent = {
  event_id: string;
  type: string;
  sender: string;
  origin_server_ts: number;
  content: Record<string, unknown>;
  state_key?: string;
  redacts?: string;
  unsigned?: Record<string, unknown>;
};

/** `org.opsroom` of an event: what programs read instead of prose. */
export const markKeys = ['kind', 'command', 'run', 'incident', 'outcome', 'code'] as const;
export type EventMark = Partial<Record<(typeof markKeys)[number], string>>;

type Version = { id: string; body: string; html: string | undefined; mentions: string[]; mark: EventMark | undefined };
export type Message = {
  id: string;
  sender: string;
  atMs: number;
  msgtype: string;
  /** The first event of the thread that this was said in. */
  root: string | undefined;
  /** The original and its edits, newest last; never empty. */
  versions: [Version, ...Version[]];
  redacted: boolean;
  /** Emoji to who set it, by the reaction's event id. */
  reactions: Map<string, Map<string, string>>;
};

export type Change =
  | { kind: 'message' | 'edit' | 'removal'; message: Message }
  | { kind: 'reaction' | 'unreaction'; message: Message; emoji: string; by: string }
  | { kind: 'membership'; user: string; membership: string; by: string };

const record = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
const string = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

export const current = (message: Message): Version => message.versions.at(-1) ?? message.versions[0];
export const isEdited = (message: Message): boolean => message.versions.length > 1;
/** 👍 with and without a variation selector or a skin tone is one emoji. */
export const sameEmoji = (emoji: string): string => emoji.replaceAll(/[\ufe0e\ufe0f\u{1f3fb}-\u{1f3ff}]/gu, '');

function markOf(content: Record<string, unknown>): EventMark | undefined {
  if (content['org.opsroom'] === undefined) return undefined;
  const entries = Object.entries(record(content['org.opsroom'])).filter(([, value]) => typeof value === 'string');
  return Object.fromEntries(entries);
}

function versionOf(id: string, content: Record<string, unknown>): Version {
  const users = record(content['m.mentions'])['user_ids'];
  const html = content['format'] === 'org.matrix.custom.html' ? string(content['formatted_body']) : undefined;
  return {
    id,
    body: string(content['body']) ?? '',
    html,
    mentions: Array.isArray(users) ? users.filter((user) => typeof user === 'string') : [],
    mark: markOf(content),
  };
}

/**
 * The room as its events make it: edits in place, reactions with who set them, threads, removals. An event that came
 * before changes nothing, so that several clients in the room may feed the same timeline.
 */
export class Timeline {
  readonly messages = new Map<string, Message>();
  private readonly seen = new Set<string>();
  /** Reaction event to what it stands on. */
  private readonly reactionOn = new Map<string, { message: Message; emoji: string; by: string }>();
  private readonly editOf = new Map<string, Message>();

  apply(event: RoomEvent): Change[] {
    if (this.seen.has(event.event_id)) return [];
    this.seen.add(event.event_id);
    const change = this.change(event);
    const edit = record(record(record(event.unsigned)['m.relations'])['m.replace']);
    // An event from history carries its newest edit with it.
    const later = typeof edit['event_id'] === 'string' ? this.apply(edit as RoomEvent) : [];
    return change === undefined ? later : [change, ...later];
  }

  private change(event: RoomEvent): Change | undefined {
    const relation = record(event.content['m.relates_to']);
    switch (event.type) {
      case 'm.room.message':
        return relation['rel_type'] === 'm.replace'
          ? this.edit(event, string(relation['event_id']))
          : this.message(event, relation);
      case 'm.room.encrypted':
        return this.message({ ...event, content: { msgtype: 'm.text', body: '(encrypted; not readable here)' } }, {});
      case 'm.reaction':
        return this.reaction(event, string(relation['event_id']), string(relation['key']));
      case 'm.room.redaction':
        return this.redaction(event.redacts ?? string(event.content['redacts']));
      case 'm.room.member':
        return this.membership(event);
      default:
        return undefined;
    }
  }

  private message(event: RoomEvent, relation: Record<string, unknown>): Change | undefined {
    const message: Message = {
      id: event.event_id,
      sender: event.sender,
      atMs: event.origin_server_ts,
      msgtype: string(event.content['msgtype']) ?? 'm.text',
      root: relation['rel_type'] === 'm.thread' ? string(relation['event_id']) : undefined,
      versions: [versionOf(event.event_id, event.content)],
      redacted: event.content['body'] === undefined,
      reactions: new Map(),
    };
    this.messages.set(message.id, message);
    return { kind: 'message', message };
  }

  /** Only who sent a message may edit it. An edit of what is older than the view stands for the message itself. */
  private edit(event: RoomEvent, target: string | undefined): Change | undefined {
    const content = record(event.content['m.new_content']);
    if (target === undefined || string(content['body']) === undefined) return undefined;
    const message = this.messages.get(target);
    if (message === undefined) {
      return this.message({ ...event, event_id: target, content: { ...event.content, ...content } }, {});
    }
    if (message.sender !== event.sender || message.redacted) return undefined;
    const version = versionOf(event.event_id, content);
    version.mark ??= markOf(event.content) ?? current(message).mark;
    message.versions.push(version);
    this.editOf.set(event.event_id, message);
    return { kind: 'edit', message };
  }

  private reaction(event: RoomEvent, target: string | undefined, key: string | undefined): Change | undefined {
    const message = target === undefined ? undefined : this.messages.get(target);
    if (message === undefined || key === undefined) return undefined;
    const emoji = sameEmoji(key);
    const by = message.reactions.get(emoji) ?? new Map<string, string>();
    message.reactions.set(emoji, by.set(event.event_id, event.sender));
    this.reactionOn.set(event.event_id, { message, emoji, by: event.sender });
    return { kind: 'reaction', message, emoji, by: event.sender };
  }

  private redaction(target: string | undefined): Change | undefined {
    if (target === undefined) return undefined;
    const reaction = this.reactionOn.get(target);
    if (reaction !== undefined) {
      const { message, emoji, by } = reaction;
      message.reactions.get(emoji)?.delete(target);
      if (message.reactions.get(emoji)?.size === 0) message.reactions.delete(emoji);
      this.reactionOn.delete(target);
      return { kind: 'unreaction', message, emoji, by };
    }
    const edited = this.editOf.get(target);
    if (edited !== undefined) {
      const [first, ...edits] = edited.versions;
      edited.versions = [first, ...edits.filter((version) => version.id !== target)];
      this.editOf.delete(target);
      return { kind: 'edit', message: edited };
    }
    const message = this.messages.get(target);
    if (message === undefined || message.redacted) return undefined;
    message.redacted = true;
    return { kind: 'removal', message };
  }

  /** Who comes and goes; a change of name or picture is no news here. */
  private membership(event: RoomEvent): Change | undefined {
    const membership = string(event.content['membership']);
    const before = string(record(record(event.unsigned)['prev_content'])['membership']);
    if (membership === undefined || event.state_key === undefined || membership === before) return undefined;
    return { kind: 'membership', user: event.state_key, membership, by: event.sender };
  }
}
