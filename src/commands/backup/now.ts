import { type BackupSet, totalRows } from '#domain/backups.ts';
import { ago, formatBytes, formatDuration } from '#domain/duration.ts';
import { OpsError } from '#domain/errors.ts';
import type { Line, Reply } from '#domain/messages.ts';
import { argMeta, z } from '#engine/args.ts';
import { defineChange } from '#engine/command.ts';
import { pruneSets } from '#procedures/backup-prune.ts';

const Part = z.enum(['database']).register(argMeta, { kind: 'word', label: 'database' });

export default defineChange({
  summary: 'Back up the database and prove it by restoring it.',
  examples: ['', '--only database'],
  args: z.strictObject({ only: Part.optional() }),
  role: 'operator',
  confirm: 'none',
  undo: 'none',
  needs: ['backups'],
  wants: ['health'],
  plan: z.strictObject({ include: z.array(z.literal('database')), verify: z.boolean() }),
  // A backup that was cut off has left nothing under a set's name, so it is made anew; one that is there is only verified.
  afterCrash: 'resume',
  steps: {
    make: { title: 'dump the database', again: 'look' },
    verify: { title: 'prove it by restoring it', again: 'safe' },
    prune: { title: 'remove what is too old', again: 'safe' },
  },

  async prepare({ only }, { backups }) {
    const [sets, freeBytes] = await Promise.all([backups.list(), backups.freeBytes()]);
    const last = sets[0] && { at: sets[0].manifest.endedAt, bytes: sets[0].bytes };
    return {
      plan: { include: [only ?? ('database' as const)], verify: backups.verifies === 'each' },
      facts: { last, freeBytes, keepDays: backups.retention.keepDays },
      touches: { things: ['backup'] },
    };
  },

  describe(plan, { last, freeBytes, keepDays }, { clock }): Reply {
    const before =
      last === undefined ? 'none before it' : `the last one ${ago(last.at, clock.now())}, ${formatBytes(last.bytes)}`;
    return {
      title: `Back up: ${plan.include.join(', ')}.`,
      blocks: [
        {
          kind: 'list',
          items: [
            before,
            `${formatBytes(freeBytes)} free`,
            plan.verify
              ? `then proved by restoring it into a scratch database; after that, sets older than ${keepDays} d are removed`
              : 'not verified: backups.verify is never',
          ],
        },
      ],
    };
  },

  async apply(plan, { backups, bot, clock, health }, run): Promise<Reply> {
    const progress = (done: number, total: number | undefined, what: string): void => run.progress(done, total, what);
    const told = ({ manifest, bytes }: BackupSet) => {
      const { rows, rawBytes } = manifest.database;
      const tookMs = manifest.endedAt - manifest.startedAt;
      return { id: manifest.id, bytes, rawBytes, tookMs, rows: totalRows(manifest), tables: Object.keys(rows).length };
    };
    const made = await run.step(
      'make',
      async (signal) => told(await backups.make({ site: bot.site, signal, progress })),
      {
        // One backup at a time: a set that was begun since is the one that was cut off after it was published.
        look: async (_signal, begunAt) => {
          const set = (await backups.list()).find(({ manifest }) => manifest.startedAt >= begunAt);
          return set === undefined ? { done: false } : { done: true, value: told(set) };
        },
      },
    );
    const { id } = made;
    const items: Line[] = [
      `size: ${formatBytes(made.bytes)} (${formatBytes(made.rawBytes)} unpacked)`,
      `rows: ${made.rows.toLocaleString('en')} in ${made.tables} tables`,
      `took: ${formatDuration(made.tookMs)}`,
    ];
    // What the checks know of backups is minutes old; whoever asks now must not be told there is none.
    const lookAgain = (): Promise<unknown> => health?.runNow('backup-age').catch(() => undefined) ?? Promise.resolve();
    run.offer('Look at it', `backup show ${id}`);
    if (!plan.verify) {
      run.skip('verify', 'backups.verify is never');
      run.skip('prune', 'nothing is removed while backups are not verified');
      await lookAgain();
      return reply(id, 'made; not verified', 'warning', [...items, 'restore test: switched off by backups.verify']);
    }
    const proof = await run.attempt('verify', async (signal) => {
      const { ok, problems, tookMs } = await backups.verify(id, { signal, progress });
      if (!ok)
        throw new OpsError('unavailable', `${id} failed its restore test: ${problems.join('; ')}`, { effect: 'done' });
      return { tookMs };
    });
    await lookAgain();
    if (proof === undefined) {
      run.skip('prune', 'nothing is removed while the newest backup is not proved');
      run.offer('Try the restore test again', `backup verify ${id}`);
      return reply(id, 'made, but NOT proved', 'critical', [
        ...items,
        'do not count on it before its restore test has passed',
      ]);
    }
    const restored = `restore test: passed in ${formatDuration(proof.tookMs)}, every table has its rows`;
    const pruned = await run.attempt('prune', () => pruneSets(backups, bot.site, clock.now()));
    const removed = pruned === undefined ? 'older backups could not be removed' : pruned.said;
    return reply(id, 'made and verified by restoring it', 'ok', [...items, restored, ...(removed ? [removed] : [])]);
  },
});

const reply = (id: string, what: string, verdict: 'ok' | 'warning' | 'critical', items: Line[]): Reply => ({
  title: ['Backup ', { code: id }, ` ${what}.`],
  verdict,
  blocks: [{ kind: 'list', items }],
});
