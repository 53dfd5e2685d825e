import type { Heard } from './hearing.ts';
import type { EventMark } from './timeline.ts';

/** A set's name: time, then sequence. */
const backupId = /\b\d{8}T\d{6}Z-\d{6}\b/g;

/** Of the newest message that has it; a late edit of an older one doesn't count as newer. */
function newest(heard: readonly Heard[], key: keyof EventMark, kind?: string): string | undefined {
  const having = heard.filter(({ mark }) => mark[key] !== undefined && (kind === undefined || mark.kind === kind));
  const first = (one: Heard): number => heard.findIndex((other) => other.message === one.message);
  return having.reduce<Heard | undefined>(
    (best, one) => (best === undefined || first(one) >= first(best) ? one : best),
    undefined,
  )?.mark[key];
}

/** What `{{code}}`, `{{run}}`, `{{incident}}` and `{{backup}}` stand for after all that the bot said. */
export function capturesOf(heard: readonly Heard[]): Record<string, string> {
  const found = {
    code: newest(heard, 'code', 'prompt'),
    run: newest(heard, 'run'),
    incident: newest(heard, 'incident'),
    backup: heard.flatMap(({ text }) => text.match(backupId) ?? []).at(-1),
  };
  return Object.fromEntries(Object.entries(found).filter((entry): entry is [string, string] => entry[1] !== undefined));
}
