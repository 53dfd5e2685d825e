import type { Block } from '#domain/messages.ts';
import { OpsError } from '#domain/errors.ts';
import { findingsTable, healthLine, troubleBlocks, troubled, verdictOf } from '#domain/health-words.ts';
import { Word, z } from '#engine/args.ts';
import { defineQuery } from '#engine/command.ts';

export default defineQuery({
  summary: 'How Synapse, PostgreSQL, LiveKit, disks and backups are.',
  examples: ['', 'synapse'],
  args: z.strictObject({ part: Word.optional() }),
  positional: ['part'],
  role: 'viewer',
  needs: ['health'],
  answer({ part }, { health }) {
    const all = health.findings();
    const parts = [...new Set(all.map((finding) => finding.part))];
    const wanted = part?.toLowerCase();
    if (wanted !== undefined && !parts.includes(wanted)) {
      throw new OpsError('notFound', `There is no part "${part}" here.`, { hint: `Parts: ${parts.join(', ')}.` });
    }
    return { findings: all.filter((finding) => wanted === undefined || finding.part === wanted), parts };
  },
  view({ findings }, { part }, { bot, clock }) {
    const table = findingsTable(findings);
    const rest: Block =
      part === undefined ? { kind: 'details', summary: `All ${findings.length} readings`, blocks: [table] } : table;
    const [worst] = troubled(findings);
    return {
      title: healthLine(findings),
      verdict: verdictOf(findings),
      blocks: [...troubleBlocks(findings, clock.now(), bot.timezone), rest],
      ...(worst ? { offers: [{ text: 'Read it again', command: `check ${worst.name.split('.')[0]}` }] } : {}),
    };
  },
});
