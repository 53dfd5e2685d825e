import { readFileSync, renameSync } from 'node:fs';
import { OpsError } from '#domain/errors.ts';
import { writePrivate } from './private-file.ts';

/** The bot's identity: who has them is the bot to everybody's clients. */
export type Seeds = { master: string; selfSigning: string; userSigning: string };

/**
 * `cross-signing.json`, mode 0600: the only part of the bot's keys that may be backed up. With it a new device of the bot
 * is trusted at once.
 */
export class SeedsFile {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  /** Undefined when there is none, or another account's. */
  read(user: string): Seeds | undefined {
    let text: string;
    try {
      text = readFileSync(this.#file, 'utf8');
    } catch (error) {
      if ((error as { code?: string }).code === 'ENOENT') return undefined;
      throw unreadable(this.#file, error);
    }
    try {
      const { user: of, master, selfSigning, userSigning } = JSON.parse(text) as Seeds & { user: string };
      if (of !== user) return undefined;
      if ([master, selfSigning, userSigning].some((seed) => typeof seed !== 'string'))
        throw new Error('a seed is missing');
      return { master, selfSigning, userSigning };
    } catch (error) {
      throw unreadable(this.#file, error);
    }
  }

  /** Whole or not at all, and on disk when it returns. Another account's are kept beside it. */
  write(user: string, seeds: Seeds): void {
    const text = `${JSON.stringify({ user, ...seeds }, null, 2)}\n`;
    const old = this.#text();
    if (old === text) return;
    if (old !== undefined && this.read(user) === undefined) renameSync(this.#file, `${this.#file}.old`);
    writePrivate(this.#file, text);
  }

  #text(): string | undefined {
    try {
      return readFileSync(this.#file, 'utf8');
    } catch {
      return undefined;
    }
  }
}

const unreadable = (file: string, cause: unknown): OpsError =>
  new OpsError('misconfigured', `The bot's cross-signing seeds ${file} cannot be read.`, {
    hint: 'Put back a copy of the file, or move it away: the bot then goes on with an identity that people have to verify anew.',
    cause,
  });
