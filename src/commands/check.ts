import { formatDuration } from '#domain/duration.ts';
import type { CheckInfo, Finding } from '#domain/health.ts';
import { findingsTable, healthLine, troubleBlocks, troubled, verdictOf } from '#domain/health-words.ts';
import { Word, z } from '#engine/args.ts';
import { defineQuery } from '#engine/command.ts';

type Answer = { kind: 'list'; checks: CheckInfo[] } | { kind: 'read'; findings: Finding[] };

export default defineQuery({
  summary: 'Reads one check now, or all; without a name lists them.',
  examples: ['', 'sync-latency', 'all'],
  args: z.strictObject({ name: Word.optional() }),
  positional: ['name'],
  role: 'viewer',
  needs: ['health'],
  async answer({ name }, { health }): Promise<Answer> {
    if (name === undefined) return { kind: 'list', checks: health.checks() };
    const wanted = name.toLowerCase();
    return { kind: 'read', findings: await health.runNow(wanted === 'all' ? undefined : wanted) };
  },
  view(data, _args, { bot, clock }) {
    if (data.kind === 'read') {
      const { findings } = data;
      const bad = troubled(findings);
      const rest = findings.filter((finding) => !bad.includes(finding));
      return {
        title: healthLine(findings),
        verdict: verdictOf(findings),
        blocks: [
          ...troubleBlocks(findings, clock.now(), bot.timezone),
          ...(rest.length === 0 ? [] : [findingsTable(rest)]),
        ],
      };
    }
    return {
      title: `${data.checks.length} ${data.checks.length === 1 ? 'check runs' : 'checks run'} here.`,
      blocks: [
        {
          kind: 'table',
          head: ['Check', 'Reads', 'Every'],
          rows: data.checks.map(({ name, title, everyMs }) => [{ code: name }, title, formatDuration(everyMs)]),
        },
      ],
      offers: [{ text: 'Read them all now', command: 'check all' }],
    };
  },
});
