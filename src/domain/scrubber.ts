import type { Secret } from './secret.ts';
import { formsOf } from './secret-forms.ts';
import { hideShapes, shapesIn } from './secret-shapes.ts';

const hidden = '<secret>';
/** Tokens that were made while the bot runs and are remembered to be hidden; they live for minutes. */
const mostLearnt = 64;
const deepest = 64;
// The end of a line, and what stands for it inside JSON.
const gaps = /(?:[\r\n]|\\{1,8}[nr])(?:[ \t]|\\{1,8}t)*/g;

/** Secrets by name: the settings (or what was made meanwhile) that hold them, and what others look like. */
export type FoundSecrets = { settings: string[]; shapes: string[] };

type Known = { pattern: RegExp; nameOf: ReadonlyMap<string, string> };
const nothing: Known = { pattern: /(?!)/g, nameOf: new Map() };

function compile(forms: ReadonlyMap<string, string>): Known {
  if (forms.size === 0) return nothing;
  const longestFirst = [...forms.keys()].sort((a, b) => b.length - a.length);
  return { pattern: new RegExp(longestFirst.map((form) => RegExp.escape(form)).join('|'), 'g'), nameOf: forms };
}

/**
 * Takes secrets out of whatever leaves the bot: log lines, messages, the audit, answers over HTTP, the terminal. It knows
 * the values of the settings and those made since, in every form that they are written in, and the shapes of others'.
 * Its time is linear in the text.
 */
export class Scrubber {
  readonly #kept = new Map<string, string>();
  readonly #learnt = new Map<string, string>();
  #known: Known = nothing;
  #wrapped: Known = nothing;

  /** A secret of the settings, under the name of its setting. */
  keep(secret: Secret, name: string): void {
    this.#kept.set(secret.reveal(), name);
    this.#compile();
  }

  /** A secret that was made while the bot runs. The oldest of many is forgotten. */
  learn(value: string, name: string): void {
    this.#learnt.delete(value);
    this.#learnt.set(value, name);
    const [oldest] = this.#learnt.keys();
    if (this.#learnt.size > mostLearnt && oldest !== undefined) this.#learnt.delete(oldest);
    this.#compile();
  }

  #compile(): void {
    const forms = new Map<string, string>();
    for (const [value, name] of [...this.#learnt, ...this.#kept])
      for (const form of formsOf(value)) forms.set(form, name);
    this.#known = compile(forms);
    this.#wrapped = compile(new Map([...forms].map(([form, name]) => [form.replaceAll(gaps, ''), name])));
  }

  /** The text with every secret in it replaced. */
  text(text: string): string {
    const plain = text.replace(this.#known.pattern, hidden);
    return hideShapes(plain.search(gaps) === -1 ? plain : this.#hideWrapped(plain));
  }

  /** A secret that was broken over lines, as terminals, mail and base64 do. */
  #hideWrapped(text: string): string {
    if (this.#wrapped === nothing) return text;
    const pieces = solid(text);
    const whole = pieces.map((piece) => piece.text).join('');
    let out = '';
    let from = 0;
    const place = placesIn(pieces);
    for (const match of whole.matchAll(this.#wrapped.pattern)) {
      const start = place(match.index);
      out += text.slice(from, start) + hidden;
      from = place(match.index + match[0].length - 1) + 1;
    }
    return from === 0 ? text : out + text.slice(from);
  }

  /** A JSON value with every text in it scrubbed; the same value when there was nothing to hide. */
  value<T>(value: T, depth = 0): T {
    if (typeof value === 'string') return this.text(value) as T;
    if (typeof value !== 'object' || value === null) return value;
    if (depth > deepest) return '…' as T;
    if (Array.isArray(value)) {
      const items = value.map((item: unknown) => this.value(item, depth + 1));
      return items.every((item, at) => item === value[at]) ? value : (items as T);
    }
    const entries = Object.entries(value).map(
      ([key, item]) => [this.text(key), this.value<unknown>(item, depth + 1)] as const,
    );
    const same = Object.entries(value).every(([key, item], at) => entries[at]?.[0] === key && entries[at][1] === item);
    return same ? value : (Object.fromEntries(entries) as T);
  }

  /** Which secrets stand in the text: the settings' names, and what others look like. Never the secrets themselves. */
  find(text: string): FoundSecrets {
    const settings = new Set<string>();
    const solidText = solid(text)
      .map((piece) => piece.text)
      .join('');
    for (const [{ nameOf, pattern }, where] of [[this.#known, text] as const, [this.#wrapped, solidText] as const]) {
      for (const [form] of where.matchAll(pattern)) settings.add(nameOf.get(form) ?? '');
    }
    return { settings: [...settings], shapes: shapesIn(text.replace(this.#known.pattern, ' ')) };
  }
}

type Piece = { text: string; start: number };

/** What stands between the ends of lines. */
function solid(text: string): Piece[] {
  const pieces: Piece[] = [];
  let start = 0;
  for (const gap of text.matchAll(gaps)) {
    if (gap.index > start) pieces.push({ text: text.slice(start, gap.index), start });
    start = gap.index + gap[0].length;
  }
  if (start < text.length) pieces.push({ text: text.slice(start), start });
  return pieces;
}

/** Where in the text a sign of the joined pieces stands. To be asked in rising order. */
function placesIn(pieces: readonly Piece[]): (index: number) => number {
  let at = 0;
  let before = 0;
  return (index) => {
    while (at < pieces.length && index >= before + pieces[at]!.text.length) {
      before += pieces[at]!.text.length;
      at += 1;
    }
    return (pieces[at]?.start ?? 0) + index - before;
  };
}
