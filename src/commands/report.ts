import { argMeta, z } from '#engine/args.ts';
import { defineQuery } from '#engine/command.ts';

const Kind = z.enum(['daily']).default('daily').register(argMeta, { kind: 'word', label: 'daily' });

export default defineQuery({
  summary: 'The daily report, now.',
  examples: ['', 'daily'],
  args: z.strictObject({ kind: Kind }),
  positional: ['kind'],
  role: 'viewer',
  needs: ['reports'],
  answer: (_args, { reports }) => reports.daily(),
  view: (reply) => reply,
});
