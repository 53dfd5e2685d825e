import type { z } from 'zod';
import { distance } from './words.ts';

export type SettingPath = ReadonlyArray<string | number>;
/** What is wrong at one place. `unknownKey`: the place is this key of the mapping at `path`. */
export type SettingProblem = { path: SettingPath; text: string; unknownKey?: string };

/** `people[1].role` */
export const showPath = (path: SettingPath): string =>
  path.map((part, at) => (typeof part === 'number' ? `[${part}]` : `${at === 0 ? '' : '.'}${part}`)).join('');

/** What stands at this place, undefined when nothing does. */
export function valueAt(tree: unknown, path: SettingPath): unknown {
  let value = tree;
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string | number, unknown>)[part];
  }
  return value;
}

type Node = { properties?: Record<string, Node>; items?: Node; additionalProperties?: Node | boolean };

/** The keys that the JSON Schema knows at this place. */
export function knownKeys(schema: unknown, path: SettingPath): string[] {
  let node = schema as Node | undefined;
  for (const part of path) {
    const other = typeof node?.additionalProperties === 'object' ? node.additionalProperties : undefined;
    node = typeof part === 'number' ? node?.items : (node?.properties?.[part] ?? other);
  }
  return Object.keys(node?.properties ?? {});
}

/** Issues of the validator as sentences. Values are never repeated: one might be a secret in the wrong place. */
export function explainIssues(issues: readonly z.core.$ZodIssue[], tree: unknown, schema: unknown): SettingProblem[] {
  return issues.flatMap((issue): SettingProblem[] => {
    const path = issue.path.filter((part) => typeof part !== 'symbol');
    if (issue.code === 'unrecognized_keys') {
      const known = knownKeys(schema, path);
      return issue.keys.map((key) => ({ path: [...path, key], unknownKey: key, text: unknownText(key, known) }));
    }
    const value = valueAt(tree, path);
    if (value === undefined && issue.code !== 'custom') return [{ path, text: 'is missing' }];
    if (value === null) return [{ path, text: 'is empty' }];
    if (issue.code === 'invalid_type' && issue.expected === 'object')
      return [{ path, text: 'must be a mapping of keys to values' }];
    if (issue.code === 'invalid_key') return [{ path, text: issue.issues[0]?.message ?? 'is no valid name' }];
    return [{ path, text: issue.message }];
  });
}

function unknownText(key: string, known: string[]): string {
  const [near] = known
    .map((name) => ({ name, far: distance(key.toLowerCase(), name.toLowerCase()) }))
    .filter(({ far }) => far <= Math.max(1, Math.floor(key.length / 3)))
    .toSorted((a, b) => a.far - b.far);
  const hint = near === undefined ? `known here: ${known.join(', ')}` : `did you mean ${near.name}?`;
  return `is not a known key; ${hint}`;
}
