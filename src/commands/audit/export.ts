import { counted } from '#domain/counted.ts';
import { none } from '#engine/args.ts';
import { defineQuery } from '#engine/command.ts';

export default defineQuery({
  summary: 'Write the whole record into a file on the bot’s machine, which anybody can verify.',
  examples: [''],
  args: none,
  role: 'admin',
  needs: ['audit'],
  answer: (_args, { audit }, { user }) => audit.export(user),
  view: ({ path, rows, fingerprint, verdict }) => ({
    title: verdict.ok
      ? `${counted(rows, 'entry is', 'entries are')} in a file on the bot’s machine.`
      : `${counted(rows, 'entry is', 'entries are')} in a file, but the record was changed: entry ${verdict.seq}: ${verdict.why}.`,
    verdict: verdict.ok ? 'ok' : 'critical',
    blocks: [
      {
        kind: 'list',
        items: [
          ['file ', { code: path }],
          `signed by the key ${fingerprint}`,
          ['to verify it anywhere: ', { code: `npm start -- audit verify FILE --key audit-key.pub.pem` }],
        ],
      },
    ],
  }),
});
