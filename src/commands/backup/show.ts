import { totalRows } from '#domain/backups.ts';
import { ago, formatBytes, formatDuration } from '#domain/duration.ts';
import type { Line, Reply } from '#domain/messages.ts';
import { formatMoment } from '#domain/moment.ts';
import { Word, z } from '#engine/args.ts';
import { defineQuery } from '#engine/command.ts';
import { type NamedSet, nameSet } from '#procedures/backup-set.ts';

const biggestShown = 10;

export default defineQuery({
  summary: 'Show one backup: what is in it, and whether it was proved.',
  examples: ['latest', '20260801T020000Z-000231', '231'],
  args: z.strictObject({ id: Word }),
  positional: ['id'],
  role: 'viewer',
  needs: ['backups'],
  answer: ({ id }, { backups }): Promise<NamedSet> => nameSet(backups, id),
  view({ id, set, damaged }, _args, { bot, clock }): Reply {
    if (set === undefined) {
      return {
        title: ['Backup ', { code: id }, ' is damaged and must not be relied on.'],
        verdict: 'critical',
        blocks: [{ kind: 'list', items: [damaged?.why ?? 'not readable', ['path: ', { code: damaged?.path ?? '' }]] }],
      };
    }
    const { manifest, verification } = set;
    const { database } = manifest;
    const now = clock.now();
    const tables = Object.entries(database.rows).sort(([, a], [, b]) => b - a);
    const items: Line[] = [
      `made: ${formatMoment(manifest.endedAt, bot.timezone)} (${ago(manifest.endedAt, now)}), took ${formatDuration(manifest.endedAt - manifest.startedAt)}`,
      `size: ${formatBytes(set.bytes)} (${formatBytes(database.rawBytes)} unpacked)`,
      `database: ${database.name}, ${totalRows(manifest).toLocaleString('en')} rows in ${tables.length} tables`,
      `versions: PostgreSQL ${database.serverVersion}, pg_dump ${database.dumpVersion}, Opsroom ${manifest.opsroom}`,
      ['path: ', { code: set.path }],
    ];
    if (database.emptied.length > 0) items.push(['left empty on purpose: ', { code: database.emptied.join(', ') }]);
    const tested =
      verification === undefined
        ? 'restore test: not yet'
        : `restore test: ${verification.ok ? 'passed' : 'FAILED'} ${ago(verification.at, now)}, took ${formatDuration(verification.tookMs)}`;
    return {
      title: [
        'Backup ',
        { code: id },
        `, ${verification?.ok === true ? 'verified by restoring it' : verification ? 'FAILED its restore test' : 'not verified yet'}.`,
      ],
      verdict: verification === undefined ? 'warning' : verification.ok ? 'ok' : 'critical',
      blocks: [
        { kind: 'list', items: [tested, ...(verification?.problems ?? []), ...items] },
        {
          kind: 'details',
          summary: 'Biggest tables',
          blocks: [
            {
              kind: 'table',
              head: ['table', 'rows'],
              rows: tables.slice(0, biggestShown).map(([table, rows]) => [{ code: table }, rows.toLocaleString('en')]),
            },
          ],
        },
        {
          kind: 'details',
          summary: 'Files',
          blocks: [
            {
              kind: 'table',
              head: ['file', 'size', 'SHA-256'],
              rows: manifest.files.map((file) => [{ code: file.name }, formatBytes(file.bytes), { code: file.sha256 }]),
            },
          ],
        },
      ],
      offers: verification === undefined ? [{ text: 'Prove it by restoring it', command: `backup verify ${id}` }] : [],
    };
  },
});
