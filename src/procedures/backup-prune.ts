import type { Backups } from '#domain/backups.ts';
import type { EpochMs } from '#domain/clock.ts';
import { OpsError } from '#domain/errors.ts';
import { expiredSets, keepables } from '#domain/retention.ts';

/** Removes the sets of a site that are kept no longer. `said` is for people, empty when there was nothing to do. */
export async function pruneSets(backups: Backups, site: string, now: EpochMs): Promise<{ said: string }> {
  const { keepDays } = backups.retention;
  const [sets, damaged] = await Promise.all([backups.list(), backups.damaged()]);
  const ofSite = sets.filter((set) => set.manifest.site === site);
  // A damaged set doesn't tell its site; that the newest one may be one of these holds everything.
  const { remove, held } = expiredSets(keepables(ofSite, damaged), backups.retention, now);
  if (held !== undefined) return { said: `nothing older was removed: ${held}` };
  let removed = 0;
  for (const id of remove) {
    try {
      await backups.remove(id);
      removed++;
    } catch (error) {
      if (error instanceof OpsError && error.kind === 'notFound') continue;
      // One that is being verified just now goes next time.
      if (!(error instanceof OpsError) || error.kind !== 'conflict') throw error;
    }
  }
  return { said: removed === 0 ? '' : `removed ${removed} older than ${keepDays} d` };
}
