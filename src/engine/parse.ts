import yargs from 'yargs-parser';
import { type UserId, parseUserId, serverOf } from '#domain/accounts.ts';
import type { BotInfo } from '#domain/bot.ts';
import type { Json } from '#domain/canonical.ts';
import { OpsError } from '#domain/errors.ts';
import { argumentsOf, type Argument, type Catalogue } from './catalogue.ts';
import { argumentProblem } from './arg-words.ts';
import type { Command } from './command.ts';
import { normaliseWord, splitWords, type Word } from './words.ts';

export type Typed = {
  name: string;
  command: Command;
  args: { [key: string]: Json };
  dryRun: boolean;
  undoOf?: number | undefined;
};
export type Parsed =
  | { kind: 'none' }
  | { kind: 'unknown'; word: string; near: string[] }
  | { kind: 'command'; name: string; command: Command; words: Word[]; text: string };
export type ParseContext = {
  prefix: string;
  bot: UserId;
  /** The own server, for bare localparts. Undefined while it isn't known. */
  serverName: string | undefined;
  links: ReadonlyArray<{ href: string; text: string }>;
};

/** The MXID in a matrix.to or matrix: link, if it is one of a user. */
export function userOfLink(href: string): string | undefined {
  const match = /^https?:\/\/matrix\.to\/#\/([^?/]+)/.exec(href) ?? /^matrix:u\/([^?/]+)/.exec(href);
  if (!match?.[1]) return undefined;
  let id: string;
  try {
    id = decodeURIComponent(match[1]);
  } catch {
    return undefined;
  }
  if (href.startsWith('matrix:')) id = `@${id}`;
  return id.startsWith('@') ? id : undefined;
}

/**
 * Pills show a name but mean an id: puts the ids where the names stand, from `start` on, so that no name can stand in
 * for the command. Throws when a pill's text claims another id, or can't be found: then its name would be taken for one.
 */
function withPills(text: string, links: ParseContext['links'], start: number): string {
  let out = text;
  let from = start;
  for (const link of links) {
    const user = userOfLink(link.href);
    if (user === undefined) continue;
    const claimed = normaliseWord(link.text).trim();
    if (claimed.startsWith('@') && claimed.includes(':') && claimed !== user) {
      throw new OpsError('invalid', `The link says ${claimed} but leads to ${user}.`, { hint: 'Type the full id.' });
    }
    const at = link.text === '' ? -1 : out.indexOf(link.text, from);
    if (at === -1) {
      if (out.includes(user, from) || out.includes(link.href, from)) continue;
      throw new OpsError('invalid', `I can't tell where ${user} stands in this.`, { hint: 'Type the full id.' });
    }
    out = `${out.slice(0, at)}${user}${out.slice(at + link.text.length)}`;
    from = at + user.length;
  }
  return out;
}

/** What was typed and each of its words in singular and plural, as typed first. */
const namesOf = (words: readonly string[]): string[] =>
  words.reduce<string[]>(
    (names, word) =>
      [word, word.endsWith('s') ? word.slice(0, -1) : `${word}s`].flatMap((form) =>
        names.map((name) => `${name} ${form}`.trim()),
      ),
    [''],
  );

/** What follows the prefix or the bot's name, with the links in it; undefined when it is not for the bot. */
function addressed(text: string, context: ParseContext): { rest: string; links: ParseContext['links'] } | undefined {
  const { prefix, bot, links } = context;
  const trimmed = text.trimStart();
  if (trimmed.startsWith(prefix)) return { rest: trimmed.slice(prefix.length), links };
  const localpart = bot.slice(1, bot.indexOf(':'));
  const names = [bot, `@${localpart}`, localpart];
  // A pill of the bot shows its display name.
  const [first, ...others] = links;
  const pill = first !== undefined && first.text !== '' && userOfLink(first.href) === bot ? first : undefined;
  if (pill) names.unshift(pill.text);
  const called = new RegExp(`^(?:${names.map((name) => RegExp.escape(name)).join('|')})[:,]\\s+`, 'i').exec(trimmed);
  return called === null ? undefined : { rest: trimmed.slice(called[0].length), links: pill ? others : links };
}

/** What a message of the bot's own site is read with. */
export const parseContext = (bot: BotInfo, links: ParseContext['links'] = []): ParseContext => ({
  prefix: bot.prefix,
  bot: bot.user,
  serverName: serverOf(bot.user),
  links,
});

/** Whether a message could be meant for the bot at all: what isn't is not even stored. */
export const isForBot = (text: string, context: ParseContext): boolean => addressed(text, context) !== undefined;

/** Is it for the bot, and which command? The longest name wins. */
export function findCommand(text: string, catalogue: Catalogue, context: ParseContext): Parsed {
  const said = addressed(text, context);
  if (said === undefined) return { kind: 'none' };
  const words = splitWords(said.rest);
  const clean = words.map((word) => word.text.toLowerCase().replace(/\.$/, ''));
  for (let length = Math.min(3, words.length); length > 0; length -= 1) {
    for (const name of namesOf(clean.slice(0, length))) {
      const command = catalogue.command(name);
      if (!command) continue;
      const whole = withPills(said.rest, said.links, words[length - 1]!.end);
      return { kind: 'command', name, command, words: splitWords(whole).slice(length), text: whole };
    }
  }
  const word = clean.slice(0, 2).join(' ');
  const near = [...catalogue.near(word), ...catalogue.near(clean[0] ?? '')];
  const children = catalogue.names().filter((name) => clean[0] && name.startsWith(`${clean[0]} `));
  return { kind: 'unknown', word: clean[0] ?? '', near: [...new Set([...children, ...near])].slice(0, 3) };
}

/** `mallory`, `@mallory`, a full id or a link -> MXID, a bare name on the own server. Throws `invalid`. */
export function resolveUser(text: string, serverName: string | undefined): UserId {
  const linked = userOfLink(text);
  if (linked) return parseUserId(linked);
  // What a phone puts behind a name: "mallory, spam".
  const bare = text.replace(/[,;]+$/, '');
  const name = bare.startsWith('@') ? bare.slice(1) : bare;
  if (name.includes(':')) {
    const at = name.indexOf(':');
    const server = name.slice(at + 1);
    // Server names know no case; the own one is compared exactly elsewhere.
    const own = serverName !== undefined && server.toLowerCase() === serverName.toLowerCase();
    return parseUserId(`@${name.slice(0, at)}:${own ? serverName : server}`);
  }
  if (name.includes('@'))
    throw new OpsError('invalid', `"${text}" is an e-mail address.`, { hint: 'Type the Matrix id.' });
  if (serverName === undefined) {
    throw new OpsError('unavailable', `The homeserver's name is not known yet, so "${text}" needs its full id.`);
  }
  return parseUserId(`@${name.toLowerCase()}:${serverName}`);
}

/** `design`, `#design` or a full alias -> alias, a bare one on the own server; an id stays. Throws `unavailable`. */
export function resolveRoom(text: string, serverName: string | undefined): string {
  if (text.startsWith('!')) return text;
  const alias = text.startsWith('#') ? text : `#${text}`;
  if (alias.includes(':')) return alias;
  if (serverName === undefined) {
    throw new OpsError('unavailable', `The homeserver's name is not known yet, so "${text}" needs its full alias.`);
  }
  return `${alias}:${serverName}`;
}

const usage = (name: string, catalogue: Catalogue, prefix: string): string =>
  `${prefix}${catalogue.find(name)?.usage ?? name}`;

/** Reads the words after the command's name. Throws `invalid` with the usage. */
export function readArgs(parsed: Parsed & { kind: 'command' }, catalogue: Catalogue, context: ParseContext): Typed {
  const { name, command, words, text } = parsed;
  const invalid = (message: string): OpsError =>
    new OpsError('invalid', message, { hint: `Usage: ${usage(name, catalogue, context.prefix)}` });
  const all = argumentsOf(command);
  const positional = all.filter((a) => a.positional);
  const flags = all.filter((a) => !a.positional);
  const { head, tail } = splitAtRest(words, positional, flags);
  for (const word of head) {
    if (word.open) throw invalid(`The quote that begins at ${word.text} does not end.`);
    // The parser takes any other value of a flag for "no".
    const valued = /^--([a-z-]+)=(?!(?:true|false)$)/.exec(word.text)?.[1];
    const isFlag = valued === 'dry-run' || flags.some((flag) => flag.name === valued && flag.kind === 'flag');
    if (isFlag) throw invalid(`--${valued} takes no value.`);
  }
  const parsedFlags = yargs(
    head.map((word) => word.text),
    {
      boolean: [
        ...flags.filter((f) => f.kind === 'flag').map((f) => f.name),
        ...(command.kind === 'change' ? ['dry-run'] : []),
      ],
      string: flags.filter((f) => f.kind !== 'flag').map((f) => f.name),
      configuration: {
        'short-option-groups': false,
        'camel-case-expansion': false,
        'dot-notation': false,
        'parse-numbers': false,
        'parse-positional-numbers': false,
        'boolean-negation': false,
        'duplicate-arguments-array': false,
        'greedy-arrays': false,
        'unknown-options-as-args': true,
      },
    },
  );
  const bare = parsedFlags._.map(String);
  const known = new Set(['_', 'dry-run', ...flags.map((f) => f.name)]);
  // With `--no-x` beside a known `x` the parser would take the next word for a value.
  const negated = Object.keys(parsedFlags).find((name) => !known.has(name));
  const stray = negated === undefined ? bare.find((word) => /^--?[a-z]/i.test(word)) : `--${negated}`;
  if (stray !== undefined) throw invalid(`I don't know the flag ${stray}.`);
  const raw: { [key: string]: Json } = {};
  for (const flag of flags) {
    const value: unknown = parsedFlags[flag.name];
    if (value === undefined) continue;
    if (flag.kind !== 'flag' && value === '') throw invalid(`--${flag.name} needs a value.`);
    raw[flag.name] = value as Json;
  }
  const open = positional.at(-1);
  const takesRest = open?.kind === 'rest' || open?.kind === 'words';
  const closed = takesRest ? positional.slice(0, -1) : positional;
  if (bare.length > closed.length) throw invalid(`"${bare[closed.length]}" is one word too many.`);
  closed.forEach((argument, index) => {
    const word = bare[index];
    if (word !== undefined) raw[argument.name] = word;
  });
  if (takesRest && tail !== undefined && open) {
    raw[open.name] =
      open.kind === 'rest'
        ? text.slice(tail).trim()
        : splitWords(text.slice(tail))
            .map((w) => w.text)
            .join(' ');
  }
  for (const argument of all) {
    if (argument.required && raw[argument.name] === undefined) throw invalid(`<${argument.name}> is missing.`);
  }
  return { name, command, args: raw, dryRun: parsedFlags['dry-run'] === true };
}

/** Flags stand before free text: from the first word of the free text on nothing is a flag. */
function splitAtRest(
  words: Word[],
  positional: Argument[],
  flags: Argument[],
): { head: Word[]; tail: number | undefined } {
  const open = positional.at(-1);
  if (open?.kind !== 'rest' && open?.kind !== 'words') return { head: words, tail: undefined };
  let seen = 0;
  for (let i = 0; i < words.length; i += 1) {
    const word = words[i]!;
    const flag = /^--([a-z][^=]*)(=.*)?$/is.exec(word.text);
    if (flag && !word.quoted) {
      if (flag[2] === undefined && flags.some((f) => f.name === flag[1] && f.kind !== 'flag')) i += 1;
    } else if (seen === positional.length - 1) {
      return { head: words.slice(0, i), tail: word.start };
    } else if (!word.text.startsWith('--')) seen += 1;
  }
  return { head: words, tail: undefined };
}

/** Resolves users and checks all against the schema. Throws `invalid`. */
export function checkArgs(typed: Typed, catalogue: Catalogue, context: ParseContext): { [key: string]: unknown } {
  const raw = { ...typed.args };
  for (const argument of argumentsOf(typed.command)) {
    const value = raw[argument.name];
    if (argument.kind === 'room' && typeof value === 'string')
      raw[argument.name] = resolveRoom(value, context.serverName);
    if (argument.kind === 'user' && typeof value === 'string')
      raw[argument.name] = resolveUser(value, context.serverName);
  }
  const result = typed.command.args.safeParse(raw);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const about = argumentsOf(typed.command).find((argument) => argument.name === issue?.path[0]);
  const example = typed.command.examples.find((text) => text !== '');
  throw new OpsError('invalid', about && issue ? problemWith(about, typed, issue) : 'The arguments do not fit.', {
    hint: `Usage: ${usage(typed.name, catalogue, context.prefix)}${example === undefined ? '' : ` For example: ${context.prefix}${typed.name} ${example}`}`,
  });
}

const problemWith = (about: Argument, typed: Typed, issue: { code?: string | undefined; message: string }): string =>
  argumentProblem({
    name: about.positional ? about.name : `--${about.name}`,
    kind: about.kind,
    schema: typed.command.args.shape[about.name] as Command['args'],
    value: typed.args[about.name],
    issue,
  });

/** The line that would be typed for these arguments. */
export function typedLine(name: string, command: Command, args: { [key: string]: Json }): string {
  const parts = [name];
  const all = argumentsOf(command);
  for (const argument of [...all.filter((a) => !a.positional), ...all.filter((a) => a.positional)]) {
    const value = args[argument.name];
    if (argument.kind === 'flag') {
      if (value === true) parts.push(`--${argument.name}`);
    } else if (typeof value === 'string' || typeof value === 'number') {
      const open = argument.kind === 'rest' || argument.kind === 'words';
      const word = !open && /\s|^$/.test(`${value}`) ? `"${value}"` : `${value}`;
      parts.push(argument.positional ? word : `--${argument.name} ${word}`);
    }
  }
  return parts.join(' ');
}
