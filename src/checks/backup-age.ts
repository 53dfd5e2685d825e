import { type CheckSample, defineCheck } from '#engine/check.ts';

const hourMs = 3_600_000;

/** Rings whatever the backup job does or says: it looks at what lies there. */
export default defineCheck({
  part: 'backup',
  title: 'backups',
  everyMs: 300_000,
  needs: ['backups'],
  local: true,
  values: {
    complete_age_ms: { title: 'last backup', unit: 'ms' },
    verified_age_ms: { title: 'last verified backup', unit: 'ms' },
    sets: { title: 'backups kept', unit: 'count' },
  },
  rules: [
    {
      name: 'backup-age',
      alert: 'BackupOld',
      of: 'complete_age_ms',
      is: 'above',
      warning: 26 * hourMs,
      critical: 50 * hourMs,
      forMs: 0,
      help: 'The command "backup now" makes one.',
    },
    {
      name: 'backup-verified',
      alert: 'BackupUnverified',
      of: 'verified_age_ms',
      is: 'above',
      warning: 50 * hourMs,
      forMs: 0,
      help: 'The command "backup verify latest" proves the newest one.',
      inhibitedBy: ['backup-age'],
    },
    {
      name: 'backup-none',
      alert: 'NoBackup',
      of: 'sets',
      is: 'below',
      warning: 1,
      // A new installation has its first night before it.
      forMs: 26 * hourMs,
      help: 'The command "backup now" makes one.',
    },
  ],
  async read({ backups, clock }) {
    const sets = (await backups.list()).toSorted((a, b) => b.manifest.sequence - a.manifest.sequence);
    const [newest] = sets;
    const samples: CheckSample[] = [{ name: 'sets', value: sets.length, note: newest ? undefined : 'there is none' }];
    if (newest === undefined) return { samples };
    const now = clock.now();
    const verified = sets.find((set) => set.verification?.ok);
    // Never verified is as old as the oldest set that could have been.
    const provedAt = verified?.manifest.endedAt ?? sets.at(-1)?.manifest.endedAt ?? now;
    return {
      samples: [
        { name: 'complete_age_ms', value: now - newest.manifest.endedAt },
        { name: 'verified_age_ms', value: now - provedAt, note: verified ? undefined : 'never verified' },
        ...samples,
      ],
    };
  },
});
