import { excerpt, messageText } from './message-rows.ts';
import { type Change, type EventMark, type Message, current, markKeys } from './timeline.ts';

/** Something the bot said, as it was at that moment: a message, an edit of one, or a reaction. */
export type Heard = {
  kind: 'message' | 'edit' | 'reaction';
  message: Message;
  text: string;
  mark: EventMark;
  /** Only of a reaction. */
  emoji: string | undefined;
};

/** All that the bot said since the prompt opened, in order; waits look into it from a position on. */
export class Hearing {
  readonly heard: Heard[] = [];
  private readonly bot: string;
  private readonly waiting = new Set<() => void>();

  constructor(bot: string) {
    this.bot = bot;
  }

  take(change: Change): void {
    if (change.kind === 'message' || change.kind === 'edit') {
      const { message } = change;
      if (message.sender !== this.bot) return;
      const { body, mark } = current(message);
      // Both bodies should say the same; a wait is met by either.
      const text = `${messageText(message)}\n${body}`;
      this.add({ kind: change.kind, message, text, mark: mark ?? {}, emoji: undefined });
    } else if (change.kind === 'reaction' && change.by === this.bot) {
      this.add({ kind: 'reaction', message: change.message, text: '', mark: {}, emoji: change.emoji });
    }
  }

  private add(heard: Heard): void {
    this.heard.push(heard);
    for (const wake of this.waiting) wake();
  }

  /** The first that fits, from position `from` on; undefined when none came in time or the signal came first. */
  async find(
    from: number,
    fits: (heard: Heard) => boolean,
    deadlineMs: number,
    signal: AbortSignal,
  ): Promise<Heard | undefined> {
    const found = this.heard.slice(from).find(fits);
    if (found !== undefined || signal.aborted) return found;
    let next = this.heard.length;
    const { promise, resolve } = Promise.withResolvers<Heard | undefined>();
    const wake = (): void => {
      const hit = this.heard.slice(next).find(fits);
      next = this.heard.length;
      if (hit !== undefined) resolve(hit);
    };
    const giveUp = (): void => resolve(undefined);
    const timer = setTimeout(giveUp, deadlineMs);
    signal.addEventListener('abort', giveUp, { once: true });
    this.waiting.add(wake);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', giveUp);
      this.waiting.delete(wake);
    }
  }
}

/** One line on what was heard, marks first, for the report of a failure. */
export function describeHeard(heard: Heard): string {
  if (heard.kind === 'reaction') return `reaction ${heard.emoji ?? ''} on: ${excerpt(heard.message)}`;
  const marks = markKeys.flatMap((key) => (heard.mark[key] === undefined ? [] : [`${key}:${heard.mark[key]}`]));
  const words =
    heard.text
      .split('\n')
      .find((line) => line.trim() !== '')
      ?.trim() ?? '';
  return `${heard.kind === 'edit' ? '✎ ' : ''}[${marks.join(' ')}] ${words.length > 120 ? `${words.slice(0, 119)}…` : words}`;
}
