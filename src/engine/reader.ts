import type { UserId } from '#domain/accounts.ts';
import { OpsError } from '#domain/errors.ts';
import type { InboxItem } from '#domain/inbox.ts';
import type { House } from './house.ts';
import { findCommand, type ParseContext, parseContext, readArgs, type Typed } from './parse.ts';

const hintEveryMs = 60_000;

/** What was meant by an item. */
export class Reader {
  readonly #house: House;
  readonly #hintedAtMs = new Map<UserId, number>();

  constructor(house: House) {
    this.#house = house;
  }

  /** Undefined when it is not for the bot. Throws `invalid`, with what to type instead. */
  read(item: InboxItem): Typed | undefined {
    const { body } = item;
    const context = this.#context(item);
    const { catalogue, settings } = this.#house;
    if (body.kind === 'command') {
      const command = catalogue.command(body.command);
      if (!command) throw new OpsError('invalid', `There is no command "${body.command}".`);
      return { name: body.command, command, args: body.args, dryRun: false };
    }
    if (body.kind !== 'message') return undefined;
    const parsed = findCommand(body.text, catalogue, context);
    if (parsed.kind === 'none') return undefined;
    if (parsed.kind === 'unknown') {
      // Somebody with a role is always told: silence would look like a command that was taken.
      const isWord = /^[a-z][a-z-]{2,}$/.test(parsed.word);
      const known = isWord && this.#house.ports(item.site).operators.find(item.sender) !== undefined;
      if (!known && (parsed.near.length === 0 || !this.#mayHint(item.sender))) return undefined;
      throw new OpsError('invalid', `There is no command "${parsed.word}".`, {
        hint:
          parsed.near.length === 0
            ? `${settings.prefix}help lists all.`
            : `Did you mean ${parsed.near.map((near) => settings.prefix + near).join(', ')}?`,
      });
    }
    return readArgs(parsed, catalogue, context);
  }

  /** A line that a command stands for. */
  line(item: InboxItem, line: string): Typed {
    const { catalogue, settings } = this.#house;
    const context = this.#context(item);
    const parsed = findCommand(settings.prefix + line, catalogue, context);
    if (parsed.kind !== 'command') throw new OpsError('conflict', `There is no command for "${line}" any more.`);
    return readArgs(parsed, catalogue, context);
  }

  #context(item: InboxItem): ParseContext {
    return parseContext(this.#house.ports(item.site).bot, item.body.kind === 'message' ? item.body.links : []);
  }

  /** Once a minute for each sender: two bots that misunderstand each other must not go on for ever. */
  #mayHint(sender: UserId): boolean {
    const now = this.#house.clock.monotonicMs();
    const last = this.#hintedAtMs.get(sender);
    if (last !== undefined && now - last < hintEveryMs) return false;
    this.#hintedAtMs.set(sender, now);
    return true;
  }
}
