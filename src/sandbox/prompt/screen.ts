import { type View, excerpt, messageRows, nameOf, pagesMe } from './message-rows.ts';
import { type Row, dim, displayWidth, paint, plain, wrapRow } from './rows.ts';
import type { Change, Message } from './timeline.ts';

export type Size = { columns: number; rows: number };
/** What stands on the screen for one message (or note), as painted lines. */
type Block = { message: string | undefined; thread: string | undefined; lines: string[] };

/** Rows at the bottom that belong to the line being typed. */
const promptRows = 6;
const bell = '\u0007';

/**
 * The room as text, without doing any I/O: each call gives the characters to write.
 * On a terminal the last blocks, as many as are surely still visible, are redrawn in place: an edit, a reaction and a
 * thread's reply appear where they belong. What has scrolled away, and everything where the output isn't a terminal,
 * is told again below with a word on what it belongs to.
 */
export class Screen {
  private readonly view: () => View;
  private size: Size | undefined;
  private blocks: Block[] = [];
  private lastThread: string | undefined;
  private readonly find: (id: string) => Message | undefined;

  /** `size` is undefined when the output is no terminal. */
  constructor(view: () => View, size: Size | undefined, find: (id: string) => Message | undefined) {
    this.view = view;
    this.size = size;
    this.find = find;
  }

  /** After this nothing that was written so far is redrawn: the lines may have been broken anew. */
  resized(size: Size | undefined): void {
    this.size = size;
    this.blocks = [];
  }

  note(text: string): string {
    this.lastThread = undefined;
    return this.add({
      message: undefined,
      thread: undefined,
      lines: this.painted(text.split('\n').map((line) => [dim(line)])),
    });
  }

  /** `past`: it was said before this screen was there, so it doesn't ring. */
  show(change: Change, past = false): string {
    if (change.kind === 'membership') return this.note(this.membership(change));
    const { message } = change;
    const at = this.blocks.findIndex((block) => block.message === message.id);
    if (at >= 0) return this.redraw(at, { ...this.block(message), drop: 1 });
    if (change.kind === 'message') {
      const ring = !past && this.size !== undefined && pagesMe(message, this.view()) ? bell : '';
      return ring + this.place(message);
    }
    if (change.kind === 'reaction' || change.kind === 'unreaction') {
      const verb = change.kind === 'reaction' ? '' : 'taken back by ';
      const by = nameOf(change.by, this.view());
      this.lastThread = undefined;
      return this.add({
        message: undefined,
        thread: undefined,
        lines: this.painted([[plain(`  ${change.emoji} `), dim(`${verb}${by}, on: ${excerpt(message)}`)]]),
      });
    }
    return this.place(message);
  }

  /** A reply goes below its thread when that is still visible, else to the end under a line that names the thread. */
  private place(message: Message): string {
    const block = this.block(message);
    if (message.root === undefined) {
      this.lastThread = message.id;
      return this.add(block);
    }
    const last = this.blocks.findLastIndex((other) => other.thread === message.root);
    if (last >= 0) return this.redraw(last + 1, { ...block, drop: 0 });
    if (this.lastThread !== message.root) {
      const root = this.find(message.root);
      const name = root === undefined ? 'an earlier thread' : `${nameOf(root.sender, this.view())}: ${excerpt(root)}`;
      block.lines.unshift(...this.painted([[dim(`↳ ${name}`)]]));
    }
    this.lastThread = message.root;
    return this.add(block);
  }

  private block(message: Message): Block {
    const indent = message.root === undefined ? [] : [dim('  │ ')];
    const width = this.size === undefined ? undefined : this.size.columns - 1 - (indent.length > 0 ? 4 : 0);
    const rows = messageRows(message, this.view(), width).map((row) => [...indent, ...row]);
    return { message: message.id, thread: message.root ?? message.id, lines: this.painted(rows) };
  }

  private painted(rows: Row[]): string[] {
    const width = this.size === undefined ? undefined : this.size.columns - 1;
    return rows.flatMap((row) => wrapRow(row, width)).map((row) => paint(row, this.size !== undefined));
  }

  private add(block: Block): string {
    return this.redraw(this.blocks.length, { ...block, drop: 0 });
  }

  /** Writes everything from block `at` on anew, with the given block there instead of `drop` old ones. */
  private redraw(at: number, { drop, ...block }: Block & { drop: number }): string {
    const rowsUp = this.blocks.slice(at).reduce((sum, one) => sum + one.lines.length, 0);
    const same = drop === 1 && this.blocks[at]?.lines.join('\n') === block.lines.join('\n');
    if (same) return '';
    this.blocks.splice(at, drop, block);
    const lines = this.blocks.slice(at).flatMap((one) => one.lines);
    if (this.size === undefined) this.blocks = [];
    else this.forgetScrolled(this.size.rows);
    const up = rowsUp === 0 ? '' : `\u001b[${rowsUp}A\r\u001b[J`;
    return `${up}${lines.join('\n')}\n`;
  }

  private forgetScrolled(rows: number): void {
    let total = this.blocks.reduce((sum, one) => sum + one.lines.length, 0);
    while (total > Math.max(rows - promptRows, 0)) total -= this.blocks.shift()?.lines.length ?? total;
  }

  private membership(change: Extract<Change, { kind: 'membership' }>): string {
    const view = this.view();
    const [who, by] = [nameOf(change.user, view), nameOf(change.by, view)];
    const own = change.user === change.by;
    if (change.membership === 'join') return `· ${who} is in the room`;
    if (change.membership === 'leave') return own ? `· ${who} left` : `· ${by} removed ${who}`;
    if (change.membership === 'ban') return `· ${by} banned ${who}`;
    return `· ${by}: ${change.membership} ${who}`;
  }
}

/** Rows that an input line with its prompt takes. */
export const inputRows = (text: string, columns: number): number =>
  Math.max(1, Math.ceil((displayWidth(text) + 1) / columns));
