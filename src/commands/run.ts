import { formatDuration } from '#domain/duration.ts';
import { OpsError } from '#domain/errors.ts';
import { formatMoment } from '#domain/moment.ts';
import { planLines } from '#domain/plan-lines.ts';
import { runName } from '#domain/runs.ts';
import { RunId, z } from '#engine/args.ts';
import { defineQuery } from '#engine/command.ts';

export default defineQuery({
  summary: 'Show how far a run is, step by step.',
  examples: ['r1'],
  args: z.strictObject({ id: RunId }),
  positional: ['id'],
  role: 'viewer',
  needs: ['runs'],
  answer: ({ id }, { runs }) => {
    const found = runs.find(id);
    if (!found) throw new OpsError('notFound', `There is no run ${runName(id)}.`, { hint: '!runs lists the latest.' });
    return found;
  },
  view: ({ run, steps, titles }, _args, { bot }) => ({
    title: [
      `${runName(run.id)} ${run.command}: `,
      { bold: run.state },
      run.reason === undefined ? '' : ` (${run.reason})`,
    ],
    blocks: [
      {
        kind: 'list',
        items: [
          `asked by ${run.actor} at ${formatMoment(run.madeAt, bot.timezone)}`,
          ...(run.begunAt === undefined ? [] : [`begun ${formatMoment(run.begunAt, bot.timezone)}`]),
          ...(run.endedAt === undefined || run.begunAt === undefined
            ? []
            : [`took ${formatDuration(run.endedAt - run.begunAt)}`]),
          ...planLines(run.plan),
        ],
      },
      ...(steps.length === 0
        ? []
        : [
            {
              kind: 'table' as const,
              head: ['step', 'state', 'tries', 'note'],
              rows: steps.map((step) => [
                titles[step.key] ?? step.key,
                step.total === undefined ? step.state : `${step.state} ${step.cursor}/${step.total}`,
                String(step.attempt),
                step.error ?? '',
              ]),
            },
          ]),
    ],
  }),
});
