/**
 * A script of the prompt: lines that are typed, and lines that say what the bot must answer.
 *
 *     # a comment; blank lines don't count
 *     > !health              typed; the "> " may be left out, so /as bob, ✅, /react 👍 and /thread … work as at the prompt
 *     >! hello?              typed, and the homeserver must refuse it (401 or 403)
 *     < all is well          waits until the bot says, or edits something to say, that text (blanks count as one)
 *     <90s all is well       … for up to 90 s instead of 30 s (ms, s, m)
 *     < /took (?<took>\d+) s/i   … a regular expression; a named group is kept as {{took}}
 *     <done backup           … with that outcome; also <refused <failed <partial <waiting, and by kind <reply <prompt
 *                            <page <report <notice
 *     < kind:prompt command:"backup now" outcome:done|partial text      … by the event's marks, written out
 *     < reaction:✅          … the bot reacts so
 *     <! error               the bot must not say that, for 2 s (<!10s for 10 s)
 *
 * A wait looks at what came since the last typed line. `{{code}}` is the code of the bot's last question, `{{run}}`,
 * `{{incident}}` and `{{backup}}` the last ones that it named; they stand in typed lines and in waits.
 * In a Markdown file only the fenced blocks whose info string has the word `opsroom-tour` are played, in order.
 */
import { readFile } from 'node:fs/promises';
import { OpsError } from '#domain/errors.ts';
import { type Expectation, capturesIn, namedGroups, parseExpectation } from './expectation.ts';
import { type Typed, parseTyped } from './typed.ts';

export type Step = {
  /** From 1, in the file. */
  line: number;
  source: string;
} & ({ kind: 'type'; text: string; refused: boolean } | { kind: 'expect'; expectation: Expectation });
export type Script = { name: string; steps: Step[] };
type NumberedLine = { line: number; text: string };

export const tourTag = 'opsroom-tour';
const builtIn = ['code', 'run', 'incident', 'backup'];
const inScript: Array<Typed['kind']> = ['say', 'thread', 'react', 'as', 'part'];

const malformed = (name: string, line: number, why: string): OpsError =>
  new OpsError('invalid', `${name}:${line}: ${why}`, { hint: 'Nothing was sent. Mend the line and start again.' });

/** The lines of the tour's blocks. Throws `invalid` when there is none, or one that never ends. */
function tourLines(name: string, lines: readonly NumberedLine[]): NumberedLine[] {
  const found: NumberedLine[] = [];
  let open: { fence: string; line: number; tour: boolean } | undefined;
  for (const { line, text } of lines) {
    const [, fence = '', info = ''] = /^ {0,3}(`{3,}|~{3,})\s*(.*)$/.exec(text) ?? [];
    if (open === undefined) {
      if (fence !== '') open = { fence, line, tour: info.trim().split(/\s+/).includes(tourTag) };
    } else if (fence.startsWith(open.fence) && info.trim() === '') open = undefined;
    else if (open.tour) found.push({ line, text });
  }
  if (open?.tour === true) throw malformed(name, open.line, 'this block is never closed.');
  return found;
}

function parseStep(name: string, { line, text }: NumberedLine, people: readonly string[], defined: Set<string>): Step {
  const source = text.trim();
  const check = (within: string): void => {
    const missing = capturesIn(within).find((capture) => !builtIn.includes(capture) && !defined.has(capture));
    if (missing === undefined) return;
    const names = [...builtIn, ...defined].join(', ');
    throw malformed(name, line, `{{${missing}}} is not known here; there are: ${names}.`);
  };
  if (source.startsWith('<')) {
    const expectation = parseExpectation(source);
    if ('why' in expectation) throw malformed(name, line, `${expectation.why}.`);
    check(source);
    if (!expectation.none && expectation.pattern?.kind === 'regex') {
      for (const group of namedGroups(expectation.pattern.source)) defined.add(group);
    }
    return { line, source, kind: 'expect', expectation };
  }
  if (source.startsWith('$ ')) throw malformed(name, line, 'a script types into the room, not into a shell.');
  const [, bang, typed = ''] = /^>(!?)(?:\s+(.*))?$/.exec(source) ?? [undefined, '', source];
  const meaning = parseTyped(typed, people);
  if (meaning.kind === 'wrong') throw malformed(name, line, meaning.why);
  if (!inScript.includes(meaning.kind)) throw malformed(name, line, 'there is nothing here that could be typed.');
  check(typed);
  return { line, source, kind: 'type', text: typed, refused: bang === '!' };
}

/** Checks a whole script before anything of it is played. Throws `invalid` with the line's number. */
export function parseScript(name: string, content: string, people: readonly string[]): Script {
  const lines = content.split(/\r?\n/).map((text, at) => ({ line: at + 1, text }));
  const markdown = /\.(?:md|markdown)$/i.test(name);
  const played = (markdown ? tourLines(name, lines) : lines).filter(({ text }) => !/^\s*(?:#(?:\s|$)|$)/.test(text));
  const defined = new Set<string>();
  const steps = played.map((line) => parseStep(name, line, people, defined));
  if (steps.length === 0) {
    const what = markdown ? `no \`\`\`${tourTag} block with a line to play` : 'no line to play';
    throw new OpsError('invalid', `${name} has ${what}.`);
  }
  return { name, steps };
}

/** Throws `invalid` when the file can't be read or holds a malformed line. */
export async function readScript(path: string, people: readonly string[]): Promise<Script> {
  let content: string;
  try {
    content = await readFile(path, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw new OpsError('invalid', `Cannot read the script ${path} (${code}).`, { hint: 'Give the path of a file.' });
  }
  return parseScript(path, content, people);
}
