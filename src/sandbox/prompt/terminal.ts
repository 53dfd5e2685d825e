import { type Interface, createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { type Size, inputRows } from './screen.ts';

export type Input = Readable & { isTTY?: boolean };
export type Output = Writable & { isTTY?: boolean; columns?: number; rows?: number };

/** Room for what is written above a line that is being typed. Without a terminal it only reads and writes. */
export class Terminal implements Disposable {
  private readonly input: Input | undefined;
  private readonly output: Output;
  private resized: (() => void) | undefined;
  /** Only while somebody listens: lines that come before would be lost, and once closed it throws at every call. */
  private reader: Interface | undefined;
  /** Both ends are a terminal: lines are edited, and the room is drawn above them. */
  readonly isTerminal: boolean;

  /** `input` is undefined when nothing is typed (a script). */
  constructor(input: Input | undefined, output: Output) {
    this.input = input;
    this.output = output;
    // Node's line editor moves no cursor on a dumb terminal, so nothing can be drawn in place there.
    this.isTerminal = input?.isTTY === true && output.isTTY === true && process.env['TERM'] !== 'dumb';
  }

  get size(): Size | undefined {
    return this.output.isTTY === true && process.env['TERM'] !== 'dumb'
      ? { columns: this.output.columns ?? 80, rows: this.output.rows ?? 24 }
      : undefined;
  }

  /** Writes above the line being typed, which stays as it is. */
  write(text: string): void {
    if (text === '') return;
    if (!this.isTerminal || this.reader === undefined) {
      this.output.write(text);
      return;
    }
    const { rows } = this.reader.getCursorPos();
    const up = rows === 0 ? '' : `\u001b[${rows}A`;
    this.output.write(`${up}\r\u001b[J${text}`);
    // Before readline draws its input again it goes up by the rows that it drew last (undocumented, so in Node 26): none
    // of them is there any more.
    Object.assign(this.reader, { prevRows: 0 });
    this.reader.prompt(true);
  }

  /** Shows `prompt` before the line being typed from now on. */
  ask(prompt: string): void {
    if (!this.isTerminal) return;
    this.reader?.setPrompt(prompt);
    this.reader?.prompt(true);
  }

  /**
   * `onLine` hears each line, `onEnd` once how it ended. On a terminal a sent line is wiped: it comes back by the room,
   * which is the proof that it arrived.
   */
  listen(onLine: (line: string) => void, onEnd: (how: 'interrupt' | 'end') => void): void {
    if (this.input === undefined) return;
    const reader = createInterface({
      input: this.input,
      terminal: this.isTerminal,
      ...(this.isTerminal ? { output: this.output } : {}),
    });
    this.reader = reader;
    reader.on('line', (line) => {
      if (this.isTerminal) {
        const rows = inputRows(`${reader.getPrompt()}${line}`, this.output.columns ?? 80);
        this.output.write(`\u001b[${rows}A\r\u001b[J`);
      }
      onLine(line);
      if (this.isTerminal) this.reader?.prompt();
    });
    reader.on('SIGINT', () => onEnd('interrupt'));
    reader.on('close', () => {
      this.reader = undefined;
      onEnd('end');
    });
  }

  onResize(listener: (size: Size | undefined) => void): void {
    this.resized = () => listener(this.size);
    this.output.on('resize', this.resized);
  }

  [Symbol.dispose](): void {
    if (this.resized !== undefined) this.output.off('resize', this.resized);
    // What follows (the sandbox stopping its parts) isn't written behind a half-typed line.
    if (this.isTerminal && this.reader !== undefined) this.output.write('\n');
    this.reader?.removeAllListeners();
    this.reader?.close();
    this.reader = undefined;
  }
}
