import type { EpochMs } from '#domain/clock.ts';
import { ago } from '#domain/duration.ts';
import { answersFor, type Person } from '#domain/operators.ts';
import { none } from '#engine/args.ts';
import { defineQuery } from '#engine/command.ts';

export default defineQuery({
  summary: 'List who may command.',
  examples: [''],
  args: none,
  role: 'viewer',
  needs: ['operators'],
  answer: (_args, { operators, clock }) => ({ people: operators.list(), now: clock.now() }),
  view: ({ people, now }) => ({
    title: `${people.length} ${people.length === 1 ? 'person' : 'people'} may command.`,
    blocks: [
      {
        kind: 'table',
        head: ['who', 'role', 'since'],
        rows: people.map((person) => [
          [{ code: person.user }, person.aka.length > 0 ? ` also ${person.aka.join(', ')}` : ''],
          person.role,
          person.fixed ? 'settings file' : addedBy(person, people, now),
        ]),
      },
    ],
  }),
});

/** Who brought them in, and for whom they count meanwhile. */
function addedBy(person: Person, people: readonly Person[], now: EpochMs): string {
  const added = `${ago(person.addedAt ?? now, now)}, by ${person.addedBy ?? 'unknown'}`;
  if (person.confirmedBy !== undefined) return `${added} and ${person.confirmedBy}`;
  const counts = answersFor(person.user, people, now);
  return counts === person.user ? added : `${added} alone: counts as ${counts}`;
}
