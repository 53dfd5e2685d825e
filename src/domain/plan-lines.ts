import type { Json } from './canonical.ts';
import type { Line } from './messages.ts';

const mostItems = 10;
const mostChars = 200;

/** `callBanMs` -> `call ban (ms)`. */
const words = (name: string): string =>
  name
    .replace(/(Ms|Bytes)$/, (unit) => ` (${unit.toLowerCase()})`)
    .replaceAll(/([a-z])([A-Z])/g, '$1 $2')
    .toLowerCase();

function shortOf(value: Json): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (value === null) return 'none';
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value);
  return text.length > mostChars ? `${text.slice(0, mostChars)}…` : text;
}

/** A plan as it can be read on a phone: one line a field, long lists counted. */
export function planLines(plan: Json): Line[] {
  if (plan === null || typeof plan !== 'object' || Array.isArray(plan)) return [['plan: ', { code: shortOf(plan) }]];
  return Object.entries(plan).flatMap(([name, value]): Line[] => {
    if (!Array.isArray(value)) return [[`${words(name)}: `, { code: shortOf(value) }]];
    if (value.length === 0) return [`${words(name)}: none`];
    const shown = value.slice(0, mostItems).map(shortOf);
    const rest = value.length > mostItems ? ` and ${value.length - mostItems} more` : '';
    return [[`${words(name)} (${value.length}): `, { code: shown.join(', ') }, rest]];
  });
}
