import type { UserId } from './accounts.ts';
import { OpsError } from './errors.ts';
import { type Person, roleAtLeast } from './operators.ts';
import type { Touches } from './runs.ts';

/** When a grant doesn't hold, and how that is said. */
const conditions = {
  'target-admin': 'a server admin, or somebody with the role admin or owner',
  'target-person': 'somebody with a role',
  'target-app-service': 'a user of an application service',
  'several-targets': 'more than one target',
} as const;
export type Condition = keyof typeof conditions;
const isCondition = (word: string): word is Condition => Object.hasOwn(conditions, word);

/** A command given to a role that is too low for it: `export unless target-admin`. */
export type Grant = { command: string; unless: Condition[] };

export const grantShape =
  'must be a command, and when it is not given: "export", "export unless target-admin", "room block unless several-targets or target-person"';

/** Throws `invalid`, which names the word that is wrong and the words that are right. */
export function parseGrant(text: string): Grant {
  const invalid = (why: string): OpsError =>
    new OpsError('invalid', why, { hint: `Conditions: ${Object.keys(conditions).join(', ')}, joined by "or".` });
  const match = /^!?([a-z][a-z-]*(?: [a-z][a-z-]*){0,2}?)(?: unless (.*))?$/.exec(text.trim());
  if (match?.[1] === undefined || /\b(unless|or)\b/.test(match[1])) {
    throw invalid(`"${text}" is not a grant: write a command, or a command unless a condition.`);
  }
  const words = match[2] === undefined ? [] : match[2].split(' or ').map((word) => word.trim());
  const unless = words.map((word) => {
    if (isCondition(word)) return word;
    throw invalid(word === '' ? 'A condition is missing after "unless".' : `"${word}" is not a condition.`);
  });
  return { command: match[1], unless: [...new Set(unless)] };
}

function holds(condition: Condition, touches: Touches, people: readonly Person[]): boolean {
  const users = touches.users ?? [];
  const role = (user: UserId) => people.find((p) => p.user === user || p.aka.includes(user))?.role;
  if (condition === 'several-targets') return users.length + (touches.rooms ?? []).length > 1;
  return users.some((touched) => {
    if (condition === 'target-app-service') return touched.appService === true;
    if (condition === 'target-person') return role(touched.user) !== undefined;
    return touched.admin === true || roleAtLeast(role(touched.user), 'admin');
  });
}

/** Why none of these grants of one command holds for what it touches; undefined when one does. */
export function grantLacks(
  grants: readonly Grant[],
  touches: Touches | undefined,
  people: readonly Person[],
): string | undefined {
  // Before it is known what is touched the command may be tried; what it touches is judged before anything is done.
  if (touches === undefined) return undefined;
  const broken = grants.map(({ unless }) => unless.find((condition) => holds(condition, touches, people)));
  const first = broken[0];
  return first === undefined || broken.includes(undefined) ? undefined : conditions[first];
}
