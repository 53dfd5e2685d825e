import { OpsError } from '#domain/errors.ts';
import type { DiskUsage } from '#domain/probes.ts';
import { type CheckSample, defineCheck } from '#engine/check.ts';

type Found = { path: string; usage: DiskUsage | undefined; note: string | undefined };

export default defineCheck({
  part: 'disk',
  title: 'disk',
  everyMs: 60_000,
  needs: ['disks'],
  local: true,
  values: {
    free_ratio: { title: 'free', unit: 'ratio' },
    free_bytes: { title: 'free space', unit: 'bytes' },
  },
  rules: [
    {
      name: 'disk-free',
      alert: 'DiskFillsUp',
      of: 'free_ratio',
      is: 'below',
      warning: 0.15,
      critical: 0.05,
      forMs: 300_000,
      help: 'Remove old logs, remote media or backups.',
    },
    {
      name: 'disk-free-bytes',
      alert: 'DiskNearlyFull',
      of: 'free_bytes',
      is: 'below',
      warning: 2 * 1024 ** 3,
      critical: 512 * 1024 ** 2,
      forMs: 60_000,
      help: 'PostgreSQL stops when it is full.',
    },
  ],
  async read({ disks }) {
    const found = await Promise.all(
      disks.paths.map((path) =>
        disks.usage(path).then(
          (usage): Found => ({ path, usage, note: undefined }),
          (error: unknown): Found => ({
            path,
            usage: undefined,
            note: error instanceof OpsError ? error.message : String(error),
          }),
        ),
      ),
    );
    return { samples: [...byDevice(found)].flatMap(samplesOf) };
  },
});

/** Two paths on one file system are one disk, called by the first of them. */
function byDevice(found: readonly Found[]): Found[] {
  return found.filter(
    ({ usage }, index) => !usage || found.findIndex((other) => other.usage?.device === usage.device) === index,
  );
}

function samplesOf({ path, usage, note }: Found): CheckSample[] {
  if (usage === undefined) return [{ name: 'free_ratio', of: path, value: undefined, note }];
  return [
    { name: 'free_ratio', of: path, value: usage.freeBytes / Math.max(1, usage.totalBytes) },
    { name: 'free_bytes', of: path, value: usage.freeBytes },
  ];
}
