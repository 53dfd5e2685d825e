import type { BackupId } from '#domain/backups.ts';
import { ago, formatBytes, formatDuration } from '#domain/duration.ts';
import { OpsError } from '#domain/errors.ts';
import type { Reply } from '#domain/messages.ts';
import { Word, z } from '#engine/args.ts';
import { defineChange } from '#engine/command.ts';
import { nameSet } from '#procedures/backup-set.ts';

export default defineChange({
  summary: 'Prove a backup: check its hashes, restore it into a scratch database, count every table.',
  examples: ['latest', '20260801T020000Z-000231', '231'],
  args: z.strictObject({ id: Word }),
  positional: ['id'],
  role: 'operator',
  confirm: 'none',
  undo: 'none',
  needs: ['backups'],
  plan: z.strictObject({ id: z.string() }),
  afterCrash: 'restart',
  steps: { verify: { title: 'restore and count', again: 'safe' } },

  async prepare({ id: text }, { backups }) {
    const { id, set } = await nameSet(backups, text);
    const facts = set && { bytes: set.bytes, endedAt: set.manifest.endedAt };
    return { plan: { id }, facts, touches: { things: ['backup'] } };
  },

  describe: ({ id }, facts, { clock }): Reply => ({
    title: ['Restore test of ', { code: id }, '.'],
    blocks: [
      {
        kind: 'list',
        items: [
          facts === undefined
            ? 'its manifest is damaged'
            : `${formatBytes(facts.bytes)}, made ${ago(facts.endedAt, clock.now())}`,
          'into a scratch database, which is dropped afterwards; the homeserver is not touched',
        ],
      },
    ],
  }),

  async apply({ id }, { backups }, run): Promise<Reply> {
    const progress = (done: number, total: number | undefined, what: string): void => run.progress(done, total, what);
    const proof = await run.attempt('verify', async (signal) => {
      const { ok, problems, tables, rows, tookMs } = await backups.verify(id as BackupId, { signal, progress });
      if (!ok)
        throw new OpsError('unavailable', `${id} can not be relied on: ${problems.join('; ')}`, { effect: 'done' });
      return { tables, rows, tookMs };
    });
    if (proof === undefined) {
      run.offer('See the backups there are', 'backup list');
      return { title: ['Backup ', { code: id }, ' is NOT proved.'], verdict: 'critical' };
    }
    return {
      title: ['Backup ', { code: id }, ` is good: restored and counted in ${formatDuration(proof.tookMs)}.`],
      verdict: 'ok',
      blocks: [
        {
          kind: 'list',
          items: [`${proof.rows.toLocaleString('en')} rows in ${proof.tables} tables, as in the manifest`],
        },
      ],
    };
  },
});
