import type { Span } from '#domain/messages.ts';
import { formatMoment } from '#domain/moment.ts';
import { none } from '#engine/args.ts';
import { defineQuery } from '#engine/command.ts';

const shownHandoffs = 5;

export default defineQuery({
  summary: 'Who is on call now, until when, and who is next.',
  examples: [''],
  args: none,
  role: 'viewer',
  needs: ['incidents', 'operators'],
  answer: (_args, ports) => ({
    duty: ports.incidents.onDuty(),
    coming: ports.incidents.coming(shownHandoffs),
    owners: ports.operators.list().filter((person) => person.role === 'owner'),
  }),
  view({ duty, coming, owners }, _args, { bot, clock }) {
    const now = clock.now();
    const at = (time: number): string => formatMoment(time, bot.timezone, now);
    if (duty.length === 0) {
      const names = owners.flatMap((owner, index): Span[] =>
        index === 0 ? [{ user: owner.user }] : [', ', { user: owner.user }],
      );
      return {
        title: 'Nobody is on call: no rota is set.',
        verdict: 'warning',
        blocks: [
          { kind: 'text', lines: [['Pages go to every owner: ', ...names, '. Set ', { code: 'onCall.layers' }, '.']] },
        ],
      };
    }
    const items = duty.map((turn): Span[] => [
      `${turn.layer}: `,
      { user: turn.user },
      ` until ${at(turn.until)}`,
      ...(turn.next === undefined ? [] : [', then ', { user: turn.next }]),
    ]);
    const next = coming.map((turn): Span[] => [`${at(turn.from)} ${turn.layer}: `, { user: turn.user }]);
    return {
      title: ['On call: ', { user: duty[0]?.user ?? bot.user }],
      verdict: 'none',
      blocks: [
        { kind: 'list', items },
        { kind: 'details', summary: 'Coming hand-offs', blocks: [{ kind: 'list', items: next }] },
      ],
    };
  },
});
