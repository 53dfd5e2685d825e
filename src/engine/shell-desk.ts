import { randomUUID } from 'node:crypto';
import type { UserId } from '#domain/accounts.ts';
import type { InboxItem, NewInboxItem } from '#domain/inbox.ts';
import type { Mark, Reply } from '#domain/messages.ts';
import type { OutboxRow } from '#domain/outbox.ts';
import type { Prompt } from '#domain/prompts.ts';
import { hasEnded } from '#domain/runs.ts';
import type { House } from './house.ts';
import { laneOf, say } from './speak.ts';

/** How often the memory is looked at for what there is to tell. */
const lookEveryMs = 100;

export type ShellCall = {
  user: UserId;
  /** Which Unix user that is, and how it is known. */
  unix: string;
  text: string;
  breakGlass: string | undefined;
};

/** Whoever sits at the terminal. */
export interface ShellEars {
  said(reply: Reply, mark: Mark): void;
  /** Their own yes or no; undefined when nobody answers. */
  confirm(prompt: Prompt): Promise<boolean | undefined>;
  /** Somebody else has to say yes. */
  waiting(prompt: Prompt): void;
}

/**
 * What is typed into a shell on this machine, through the one door: an inbox item with the proof `shell`, so that roles,
 * questions, audit and the room's copy are those of any other. Follows it to its end.
 */
export class ShellDesk {
  readonly #house: House;
  readonly #site: string;
  readonly #wake: () => void;

  /** `wake`: the inbox has something new. */
  constructor(house: House, options: { site: string; wake: () => void }) {
    this.#house = house;
    this.#site = options.site;
    this.#wake = options.wake;
  }

  /** True when it was done. The signal ends the listening only: what was asked for goes on. */
  async serve(call: ShellCall, ears: ShellEars, signal: AbortSignal): Promise<boolean> {
    const { settings } = this.#house;
    const typed = call.text.trim();
    const text = typed.startsWith(settings.prefix) ? typed : settings.prefix + typed;
    const follower = new Follower(this.#house, this.#take({ ...call, text }), ears, (code, yes) =>
      this.#take({ ...call, text: `${settings.prefix}${yes ? 'approve' : 'deny'} ${code}` }, 'answer'),
    );
    follower.alsoRunOf(/^approve\s+([0-9a-f]+)\.?$/i.exec(text.slice(settings.prefix.length))?.[1]);
    for (;;) {
      const well = follower.look();
      if (well !== undefined) return well;
      await this.#house.clock.sleep(lookEveryMs, signal);
    }
  }

  #take(call: ShellCall, what: 'command' | 'answer' = 'command'): InboxItem {
    const { ledger, clock } = this.#house;
    const key = `shell:${randomUUID()}`;
    const at = clock.now();
    // An answer is seen in the room by itself.
    if (what === 'command') this.#tellRoom(call, key, at);
    const item: NewInboxItem = {
      source: 'shell',
      key,
      site: this.#site,
      room: undefined,
      thread: undefined,
      sender: call.user,
      device: call.unix,
      proof: 'shell',
      body: {
        kind: 'message',
        text: call.text,
        links: [],
        ...(call.breakGlass === undefined ? {} : { breakGlass: call.breakGlass }),
      },
      sentAt: at,
      takenAt: at,
    };
    const [taken] = ledger.take({ stream: 'shell', position: key, items: [item], rooms: [] });
    if (taken === undefined) throw new Error('a new key was known already');
    this.#wake();
    return taken;
  }

  /** Before it is taken: the room must never miss who did something from the shell. */
  #tellRoom(call: ShellCall, key: string, at: number): void {
    const { ledger } = this.#house;
    const where = { room: this.#house.ports(this.#site).bot.opsRoom, thread: undefined, event: undefined };
    const address = { site: this.#site, where, lane: laneOf(key), about: { kind: 'notice' as const, id: key }, at };
    const title = [`⌨️ ${call.user} from the shell (${call.unix}): `, { code: call.text }];
    ledger.commit({ at, outbox: [say(ledger, address, { title }, { kind: 'notice' })] });
  }
}

class Follower {
  readonly #house: House;
  readonly #item: InboxItem;
  readonly #ears: ShellEars;
  readonly #answer: (code: string, yes: boolean) => InboxItem;
  readonly #told = new Map<number, string>();
  readonly #asked = new Set<number>();
  /** Answers given here, of which only a refusal is news. */
  readonly #answers: InboxItem[] = [];
  #approves: number | undefined;

  constructor(house: House, item: InboxItem, ears: ShellEars, answer: (code: string, yes: boolean) => InboxItem) {
    this.#house = house;
    this.#item = item;
    this.#ears = ears;
    this.#answer = answer;
  }

  /** Whoever says yes hears what became of it. */
  alsoRunOf(code: string | undefined): void {
    if (code !== undefined) this.#approves = this.#house.ledger.prompt({ code: code.toLowerCase() })?.run;
  }

  /** Tells what is new; gives how it ended, undefined while it goes on. */
  look(): boolean | undefined {
    const { ledger } = this.#house;
    const own = ledger.runsBy({ key: this.#item.key, limit: 1 })[0];
    const other = this.#approves === undefined ? undefined : ledger.run(this.#approves);
    const answer = this.#tell({ kind: 'inbox', id: this.#item.id });
    for (const { id } of this.#answers) this.#tell({ kind: 'inbox', id }, (mark) => mark.outcome !== 'done');
    const run = own ?? (answer?.outcome === 'done' ? other : undefined);
    if (run === undefined) {
      if (answer !== undefined) return answer.outcome === 'done';
      // Not answered at all: it was no command.
      return ledger.newItems(10_000).some(({ id }) => id === this.#item.id) ? undefined : false;
    }
    this.#tell({ kind: 'prompt', id: run.id });
    this.#tell({ kind: 'run', id: run.id });
    if (hasEnded(run)) return run.state === 'done';
    if (run === own && run.state === 'waiting') this.#ask(run.id);
    return undefined;
  }

  /** Rows change while they wait to be said: each text once. Gives the mark of the last. */
  #tell(about: OutboxRow['about'], wanted: (mark: Mark) => boolean = () => true): Mark | undefined {
    let last: Mark | undefined;
    for (const { id, content } of this.#house.ledger.outboxAbout(about)) {
      if (content.kind !== 'message') continue;
      last = content.mark;
      const text = JSON.stringify(content.reply);
      if (this.#told.get(id) === text || !wanted(content.mark)) continue;
      this.#told.set(id, text);
      this.#ears.said(content.reply, content.mark);
    }
    return last;
  }

  #ask(run: number): void {
    const prompt = this.#house.ledger.prompt({ run });
    if (prompt?.state !== 'open' || this.#asked.has(prompt.id)) return;
    this.#asked.add(prompt.id);
    if (prompt.need !== 'caller') return this.#ears.waiting(prompt);
    void this.#ears.confirm(prompt).then((yes) => {
      if (yes !== undefined) this.#answers.push(this.#answer(prompt.code, yes));
    });
  }
}
