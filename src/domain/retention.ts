import { type BackupId, type BackupSet, type DamagedSet, type Retention, sequenceOf } from './backups.ts';
import type { EpochMs } from './clock.ts';
import { OpsError } from './errors.ts';

/** What retention has to know of a set. A damaged one is `failed`, and has no time. */
export type Keepable = {
  id: BackupId;
  sequence: number;
  at: EpochMs | undefined;
  proof: 'verified' | 'failed' | 'none';
};

/** `held`: why nothing may be removed now. */
export type Removal = { remove: BackupId[]; held: string | undefined };

const dayMs = 86_400_000;
/** Fewer verified sets than this never remain, whatever the settings say (trust.md 24). */
const leastKept = 3;

/** Every set of a directory as retention sees it, in any order. */
export const keepables = (sets: readonly BackupSet[], damaged: readonly DamagedSet[]): Keepable[] => [
  ...sets.map(({ manifest, verification }) => ({
    id: manifest.id,
    sequence: manifest.sequence,
    at: manifest.endedAt,
    proof:
      verification === undefined ? ('none' as const) : verification.ok ? ('verified' as const) : ('failed' as const),
  })),
  ...damaged.map(({ id }) => ({ id, sequence: sequenceOf(id), at: undefined, proof: 'failed' as const })),
];

/**
 * The sets that may go, oldest first. The order is that of the sequence; the clock only says how old a set is, and a
 * clock that jumped makes sets look younger at worst, but for one that stayed wrong over two backups: then the floor of
 * verified sets is what remains. Throws `invalid` for a policy that would keep nothing. reliability-goals E6.
 */
export function expiredSets(all: readonly Keepable[], policy: Retention, now: EpochMs): Removal {
  refuseEmpty(policy);
  const newestFirst = all.toSorted((a, b) => b.sequence - a.sequence);
  const newest = newestFirst[0];
  if (newest === undefined) return { remove: [], held: undefined };
  if (newest.proof !== 'verified') {
    const why = newest.proof === 'failed' ? 'cannot be relied on' : 'is not verified';
    return { remove: [], held: `the newest backup, ${newest.id}, ${why}` };
  }
  const kept = new Set(newestFirst.filter((set) => set.proof === 'verified').slice(0, policy.minKeep));
  const oldestAt = referenceTime(newestFirst, policy.keepDays * dayMs, now) - policy.keepDays * dayMs;
  const old = newestFirst.filter((set) => !kept.has(set) && set.at !== undefined && set.at < oldestAt);
  return { remove: old.reverse().map((set) => set.id), held: undefined };
}

/**
 * The time from which age is counted: now, unless the newest set lies further from the one before it than sets are kept.
 * Then the clock has jumped, or the bot was down for long, and the one before counts: one wrong clock removes nothing.
 */
function referenceTime(newestFirst: readonly Keepable[], keepMs: number, now: EpochMs): EpochMs {
  const [newestAt = now, beforeAt] = newestFirst.flatMap((set) => (set.at === undefined ? [] : [set.at]));
  const earliest = Math.min(now, newestAt);
  if (beforeAt === undefined || Math.abs(Math.max(now, newestAt) - beforeAt) <= keepMs) return earliest;
  return Math.min(earliest, beforeAt);
}

function refuseEmpty({ keepDays, minKeep }: Retention): void {
  const isPolicy = Number.isFinite(keepDays) && keepDays >= 1 && Number.isInteger(minKeep) && minKeep >= leastKept;
  if (isPolicy) return;
  throw new OpsError('invalid', 'No backup was removed: the retention keeps too little to be meant.', {
    hint: `backups.keepDays must be at least 1, backups.minKeep at least ${leastKept}.`,
  });
}
