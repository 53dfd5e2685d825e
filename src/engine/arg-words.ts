import { roles } from '#domain/operators.ts';
import type { ArgKind } from './args.ts';
import { z } from './args.ts';
import { distance } from './words.ts';

// What an argument takes, in a person's words. The schema's own messages ("Invalid option: expected one of…") never
// reach anybody.

type Bounds = {
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  enum?: unknown[];
  default?: unknown;
};

const longestShown = 60;

const boundsOf = (schema: z.core.$ZodType): Bounds => z.toJSONSchema(schema, { io: 'output', unrepresentable: 'any' });

const choice = (words: readonly string[]): string =>
  words.length > 1 ? `${words.slice(0, -1).join(', ')} or ${words.at(-1)}` : (words[0] ?? '');

const count = (amount: number): string => amount.toLocaleString('en');

function choicesOf(kind: ArgKind, bounds: Bounds): string[] {
  if (kind === 'role') return [...roles];
  return (bounds.enum ?? []).map(String);
}

/** `a whole number from 1 to 10,000` */
function takes(kind: ArgKind, bounds: Bounds): string {
  const choices = choicesOf(kind, bounds);
  if (choices.length > 0) return choice(choices);
  switch (kind) {
    case 'number':
      return `a whole number from ${count(bounds.minimum ?? 0)} to ${count(bounds.maximum ?? Number.MAX_SAFE_INTEGER)}`;
    case 'user':
      return 'a person: @name, a full Matrix id, a pill or a link';
    case 'room':
      return 'a room: #name, a full alias, an id, a pill or a link';
    case 'duration':
      return 'a duration such as 90s, 5m, 2h, 1h30m or 30d';
    case 'rest':
      return 'the rest of the line as it is, no quotes needed';
    case 'words':
      return 'one word or more';
    case 'flag':
      return 'a switch: it is on when it is written';
    case 'run':
      return 'a run such as r1042; !runs lists them';
    case 'word':
    case 'role':
      return 'one word';
  }
}

/** For `!help`: what it is for, what it takes, and what holds when it is left out. */
export function argumentWords(kind: ArgKind, schema: z.core.$ZodType): string {
  const bounds = boundsOf(schema);
  const purpose = (schema as z.ZodType).description;
  const usual =
    kind !== 'flag' && bounds.default !== undefined ? `${JSON.stringify(bounds.default)} when left out` : '';
  const words = kind === 'flag' && purpose !== undefined ? [purpose] : [purpose ?? '', takes(kind, bounds), usual];
  return words.filter((part) => part !== '').join('; ');
}

const shown = (value: unknown): string => {
  const text = (typeof value === 'string' ? value : JSON.stringify(value)).replaceAll(/\s+/g, ' ');
  return `"${text.length > longestShown ? `${text.slice(0, longestShown)}…`.toWellFormed() : text}"`;
};

/** What is wrong with a value: what was given, what is allowed, and what was perhaps meant. */
export function argumentProblem(argument: {
  /** As it is typed: `role`, `--limit`. */
  name: string;
  kind: ArgKind;
  schema: z.core.$ZodType;
  value: unknown;
  issue: { code?: string | undefined; message: string };
}): string {
  const { name, kind, schema, value, issue } = argument;
  if (value === undefined) return `${name} is missing: it takes ${takes(kind, boundsOf(schema))}.`;
  // Our own parsers say it in words already.
  if (issue.code === 'custom') return `${name}: ${issue.message}`;
  const bounds = boundsOf(schema);
  if (typeof value === 'string' && bounds.maxLength !== undefined && value.length > bounds.maxLength) {
    return `${name} is ${count(value.length)} characters long; ${count(bounds.maxLength)} are allowed.`;
  }
  if (value === '') return `${name} is empty: it takes ${takes(kind, bounds)}.`;
  const choices = choicesOf(kind, bounds);
  const low = typeof value === 'string' ? value.slice(0, longestShown).toLowerCase() : '';
  const near = choices.find((word) => distance(low, word) <= Math.max(1, Math.floor(word.length / 3)));
  const meant = near === undefined ? '' : ` Did you mean ${near}?`;
  return `${name} cannot be ${shown(value)}: it takes ${takes(kind, bounds)}.${meant}`;
}
