import { byUrgency, incidentLine } from '#domain/alert-text.ts';
import { isOpen } from '#domain/incidents.ts';
import { Flag, z } from '#engine/args.ts';
import { defineQuery } from '#engine/command.ts';

const most = 50;
const mostRecent = 20;

export default defineQuery({
  summary: 'What is firing, and who is on it.',
  examples: ['', '--all'],
  args: z.strictObject({ all: Flag.describe('those that are over too') }),
  role: 'viewer',
  needs: ['incidents'],
  answer(args, ports) {
    const open = ports.incidents.list({ open: true });
    const recent = args.all ? ports.incidents.list({ limit: mostRecent + open.length }) : [];
    return {
      open: open.toSorted(byUrgency),
      closed: recent.filter((incident) => !isOpen(incident)).slice(0, mostRecent),
    };
  },
  view({ open, closed }, _args, { bot, clock }) {
    const context = { timezone: bot.timezone, prefix: bot.prefix, now: clock.now() };
    const critical = open.filter((incident) => incident.severity === 'critical').length;
    const items = open.slice(0, most).map((incident) => incidentLine(incident, context));
    const past = closed.map((incident) => incidentLine(incident, context));
    const left = open.length - items.length;
    return {
      title: open.length === 0 ? 'No alerts.' : `${open.length} open${critical > 0 ? `, ${critical} critical` : ''}`,
      verdict: open.length === 0 ? 'ok' : critical > 0 ? 'critical' : 'warning',
      blocks: [
        ...(items.length > 0 ? [{ kind: 'list' as const, items }] : []),
        ...(left > 0 ? [{ kind: 'text' as const, lines: [`…and ${left} more. Their messages list every one.`] }] : []),
        ...(past.length > 0
          ? [{ kind: 'details' as const, summary: 'Resolved lately', blocks: [{ kind: 'list' as const, items: past }] }]
          : []),
      ],
    };
  },
});
