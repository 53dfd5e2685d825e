import { markKeys, sameEmoji } from './timeline.ts';
import type { Heard } from './hearing.ts';

/** What a `<` line asks for; the text may hold captures, filled in when it is played. */
export type Expectation = {
  /** `<!`: none may come. */
  none: boolean;
  withinMs: number;
  filters: Array<{ key: FilterKey; values: string[] }>;
  pattern: { kind: 'text'; text: string } | { kind: 'regex'; source: string; flags: string } | undefined;
};

const filterKeys = [...markKeys, 'reaction'] as const;
type FilterKey = (typeof filterKeys)[number];
const kinds = ['reply', 'prompt', 'page', 'report', 'notice'];
const outcomes = ['done', 'refused', 'failed', 'partial', 'waiting'];
/** A value that isn't one of these would never be met. */
const known: Partial<Record<FilterKey, string[]>> = { kind: kinds, outcome: outcomes };

const waitMs = 30_000;
const quietMs = 2000;

/** Names that a text or regex fills in: `{{code}}`. */
export const capturesIn = (text: string): string[] =>
  [...text.matchAll(/\{\{([^}]*)\}\}/g)].map((found) => (found[1] ?? '').trim());
/** Names that a regex defines: `(?<name>…)`. */
export const namedGroups = (source: string): string[] =>
  [...source.matchAll(/\(\?<([a-z]\w*)>/gi)].map((found) => found[1] ?? '');

export const fill = (
  text: string,
  values: Record<string, string>,
  quote: (value: string) => string = (v) => v,
): string =>
  text.replaceAll(/\{\{([^}]*)\}\}/g, (whole, name: string) => {
    const value = values[name.trim()];
    return value === undefined ? whole : quote(value);
  });

/** Parses a whole `<` line. Gives the reason when it is malformed. */
export function parseExpectation(line: string): Expectation | { why: string } {
  const form = /^<(!?)(?:(\d+(?:\.\d+)?)(ms|s|m))?([a-z]*)(?:\s+(.*))?$/.exec(line.trim());
  if (form === null) return { why: 'a wait is "< text", "<60s text", "<done text" or "<! text"' };
  const [, bang, amount, unit, word = '', text = ''] = form;
  const none = bang === '!';
  const unitMs = unit === 'ms' ? 1 : unit === 'm' ? 60_000 : 1000;
  const withinMs = amount === undefined ? (none ? quietMs : waitMs) : Number(amount) * unitMs;
  const filters: Expectation['filters'] = [];
  if (word !== '') {
    if (kinds.includes(word)) filters.push({ key: 'kind', values: [word] });
    else if (outcomes.includes(word)) filters.push({ key: 'outcome', values: [word] });
    else return { why: `"<${word}" is none of: ${[...kinds, ...outcomes].join(', ')}; a text stands after a blank` };
  }
  let rest = text.trim();
  for (;;) {
    const found = /^([a-z]+):(?:"([^"]*)"|(\S+))(?:\s+|$)/.exec(rest);
    const key = filterKeys.find((name) => name === found?.[1]);
    if (found === null || key === undefined) break;
    const values = (found[2] ?? found[3] ?? '').split('|');
    const strange = values.find((value) => known[key] !== undefined && !known[key].includes(value));
    if (strange !== undefined) return { why: `${key}:${strange} is none of: ${known[key]?.join(', ')}` };
    filters.push({ key, values });
    rest = rest.slice(found[0].length);
  }
  const regex = /^\/(.+)\/([a-z]*)$/.exec(rest);
  if (regex !== null) {
    const [, source = '', flags = ''] = regex;
    try {
      new RegExp(fill(source, {}).replaceAll(/\{\{[^}]*\}\}/g, 'x'), flags);
    } catch (error) {
      return { why: error instanceof Error ? error.message : 'not a regular expression' };
    }
    return { none, withinMs, filters, pattern: { kind: 'regex', source, flags: flags.replaceAll(/[gy]/g, '') } };
  }
  if (rest === '' && filters.length === 0) return { why: 'it waits for nothing in particular: give a text' };
  return { none, withinMs, filters, pattern: rest === '' ? undefined : { kind: 'text', text: rest } };
}

const squeeze = (text: string): string => text.replaceAll(/\s+/g, ' ').trim();

/** The values of the regex's named groups when what was heard fits (none: an empty record), else undefined. */
export function fitsExpectation(
  heard: Heard,
  { filters, pattern }: Expectation,
  captures: Record<string, string>,
): Record<string, string> | undefined {
  const asksReaction = filters.some((filter) => filter.key === 'reaction');
  if (asksReaction !== (heard.kind === 'reaction')) return undefined;
  for (const { key, values } of filters) {
    const wanted = values.map((value) => fill(value, captures));
    const actual = key === 'reaction' ? heard.emoji : heard.mark[key];
    if (actual === undefined) return undefined;
    if (!(key === 'reaction' ? wanted.map(sameEmoji) : wanted).includes(actual)) return undefined;
  }
  if (pattern === undefined) return {};
  if (pattern.kind === 'text')
    return squeeze(heard.text).includes(squeeze(fill(pattern.text, captures))) ? {} : undefined;
  const source = fill(pattern.source, captures, (value) => RegExp.escape(value));
  const found = new RegExp(source, pattern.flags).exec(heard.text);
  return found === null ? undefined : { ...found.groups };
}
