import type { Run } from './runs.ts';

/** A run as people know it: what, and on whom. */
export function runTitle(run: Pick<Run, 'command' | 'touches'>): string {
  const users = (run.touches.users ?? []).map(({ user }) => user);
  return [run.command, ...users].join(' ');
}

/** What it acts on, for people: users, rooms and things. */
export const targetsOf = ({ touches }: Pick<Run, 'touches'>): string[] => [
  ...(touches.users ?? []).map(({ user }) => user),
  ...(touches.rooms ?? []),
  ...(touches.things ?? []).map((thing) => thing.replace(/^\w+:/, '')),
];
