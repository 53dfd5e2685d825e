import { incidentLine } from '#domain/alert-text.ts';
import { OpsError } from '#domain/errors.ts';
import { parseIncidentName } from '#domain/incidents.ts';
import type { Span } from '#domain/messages.ts';
import { formatMoment } from '#domain/moment.ts';
import { Word, z } from '#engine/args.ts';
import { defineQuery } from '#engine/command.ts';

const mostLabels = 20;

export default defineQuery({
  summary: 'Everything about one alert. In its thread the id may be left out.',
  examples: ['a17', ''],
  args: z.strictObject({ id: Word.optional() }),
  positional: ['id'],
  role: 'viewer',
  needs: ['incidents'],
  answer(args, ports, caller) {
    const here =
      args.id === undefined && caller.thread !== undefined ? ports.incidents.byEvent(caller.thread)[0]?.id : undefined;
    if (args.id === undefined && here === undefined) {
      throw new OpsError('invalid', 'Which alert?', {
        hint: '!alerts lists them; in the thread of an alert no id is needed.',
      });
    }
    const id = here ?? parseIncidentName(args.id ?? '');
    const found = ports.incidents.find(id);
    if (found === undefined)
      throw new OpsError('notFound', `There is no incident a${id}.`, { hint: '!alerts lists them.' });
    return found;
  },
  view({ incident, log }, _args, { bot, clock }) {
    const context = { timezone: bot.timezone, prefix: bot.prefix, now: clock.now() };
    const at = (time: number): string => formatMoment(time, bot.timezone, context.now);
    const labels = Object.entries(incident.labels).slice(0, mostLabels);
    const lines = log.map((entry): Span[] => [
      `${at(entry.at)} ${entry.what}`,
      ...(entry.actor === undefined ? [] : [' by ', { user: entry.actor }]),
    ]);
    return {
      title: incidentLine(incident, context),
      verdict: 'none',
      blocks: [
        ...(incident.nextAt === undefined
          ? []
          : [{ kind: 'text' as const, lines: [`Next page ${at(incident.nextAt)} unless acknowledged.`] }]),
        { kind: 'list', items: lines },
        ...(labels.length === 0
          ? []
          : [
              {
                kind: 'code' as const,
                text: labels.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join('\n'),
              },
            ]),
      ],
      ...(incident.state === 'open' || incident.state === 'paged'
        ? { offers: [{ text: 'Acknowledge', command: `ack a${incident.id}` }] }
        : {}),
    };
  },
});
