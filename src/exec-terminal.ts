import { createInterface, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import type { Terminal } from '#adapters/shell/call.ts';

/** The terminal of one call: shows what the bot says, and asks. */
export class ShellTerminal implements Terminal, Disposable {
  readonly #output: Writable;
  readonly #input: Readable;
  #lines: Interface | undefined;

  constructor({ input, output }: { input: Readable; output: Writable }) {
    this.#input = input;
    this.#output = output;
    // Who reads may go away (a pipe into head): what was asked for goes on to its end all the same.
    output.on('error', () => undefined);
  }

  say(text: string): void {
    this.#output.write(`${text}\n`);
  }

  waiting({ code, role }: { code: string; role: string; expiresAt: number }): void {
    this.say(`\nA second person with the role ${role} has to say yes, in the room or here:`);
    this.say(`  npm start -- approve --settings FILE ${code}\nWaiting; Ctrl-C ends only the waiting.`);
  }

  /** Anything but a yes is a no, and so is the end of the input. */
  confirm(): Promise<boolean | undefined> {
    this.#lines ??= createInterface({ input: this.#input });
    this.#output.write('\nDo it? (y/N) ');
    const lines = this.#lines;
    return new Promise((resolve) => {
      const ended = (): void => {
        this.say('Nobody can answer here: the input has ended. That is a no.');
        resolve(false);
      };
      lines.once('close', ended);
      lines.once('line', (line) => {
        lines.off('close', ended);
        resolve(/^\s*(y|yes)\s*$/i.test(line));
      });
    });
  }

  [Symbol.dispose](): void {
    this.#lines?.close();
  }
}
