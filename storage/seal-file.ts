import { appendFileSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';

// A year of seals every ten minutes is 15 MB; the newest are what shows a cut tail, and the table has all.
const mostBytes = 1024 * 1024;

/** The signed heads of the audit outside of its database, so that a cut or exchanged database shows. */
export class SealFile {
  readonly #file: string | undefined;
  #notes = '';

  /** Without a file: in memory. */
  constructor(file: string | undefined) {
    this.#file = file;
  }

  notes(): string[] {
    // A note has a blank line before its signature: they are apart by two.
    return this.#read()
      .split('\n\n\n')
      .filter((note) => note.trim() !== '')
      .map((note) => `${note.trim()}\n`);
  }

  append(note: string): void {
    const text = `${note}\n\n`;
    if (this.#file === undefined) {
      this.#notes += text;
      return;
    }
    appendFileSync(this.#file, text, { mode: 0o600 });
    if (statSync(this.#file).size > mostBytes) this.#shorten(this.#file);
  }

  #shorten(file: string): void {
    const notes = this.notes();
    const kept = notes.slice(notes.length >> 1).map((note) => `${note}\n\n`);
    writeFileSync(`${file}.new`, kept.join(''), { mode: 0o600 });
    renameSync(`${file}.new`, file);
  }

  #read(): string {
    if (this.#file === undefined) return this.#notes;
    try {
      return readFileSync(this.#file, 'utf8');
    } catch (error) {
      if ((error as { code?: unknown }).code === 'ENOENT') return '';
      throw error;
    }
  }
}
