import { counted } from '#domain/counted.ts';
import { type BackupSet, totalRows } from '#domain/backups.ts';
import { ago, formatBytes } from '#domain/duration.ts';
import type { Block, Line, Reply } from '#domain/messages.ts';
import { Flag, z } from '#engine/args.ts';
import { defineQuery } from '#engine/command.ts';

const shownAtFirst = 10;

export default defineQuery({
  summary: 'List the backups, newest first.',
  examples: ['', '--all'],
  args: z.strictObject({ all: Flag.describe('every set, not only the newest') }),
  role: 'viewer',
  needs: ['backups'],
  async answer(_args, { backups }) {
    const [sets, damaged, freeBytes] = await Promise.all([backups.list(), backups.damaged(), backups.freeBytes()]);
    return { sets, damaged, freeBytes };
  },
  view({ sets, damaged, freeBytes }, { all }, { clock }): Reply {
    const now = clock.now();
    const shown = all ? sets : sets.slice(0, shownAtFirst);
    const blocks: Block[] = [];
    if (shown.length > 0) {
      blocks.push({
        kind: 'table',
        head: ['backup', 'made', 'size', 'rows', 'restore test'],
        rows: shown.map((set) => [
          { code: set.manifest.id },
          ago(set.manifest.endedAt, now),
          formatBytes(set.bytes),
          totalRows(set.manifest).toLocaleString('en'),
          proof(set, now),
        ]),
      });
    }
    if (damaged.length > 0) {
      blocks.push({
        kind: 'list',
        items: damaged.map((set): Line => [{ bold: 'damaged: ' }, { code: set.id }, `, ${set.why}`]),
      });
    }
    const more = sets.length - shown.length;
    const older = more > 0 ? `${more} older ones: !backup list --all. ` : '';
    blocks.push({ kind: 'text', lines: [`${older}${formatBytes(freeBytes)} free.`] });
    return { title: title(sets, damaged.length, now), verdict: verdict(sets, damaged.length), blocks };
  },
});

function proof({ verification }: BackupSet, now: number): string {
  if (verification === undefined) return 'not yet';
  return verification.ok ? `passed ${ago(verification.at, now)}` : `FAILED ${ago(verification.at, now)}`;
}

function title(sets: readonly BackupSet[], damaged: number, now: number): Line {
  const [newest] = sets;
  if (newest === undefined) return damaged > 0 ? 'No usable backup.' : 'No backup yet: !backup now makes one.';
  const verified = sets.find((set) => set.verification?.ok);
  const proved =
    verified === undefined ? 'none verified' : `the last verified one ${ago(verified.manifest.endedAt, now)}`;
  return `${counted(sets.length, 'backup')}, the newest ${ago(newest.manifest.endedAt, now)}, ${proved}.`;
}

function verdict(sets: readonly BackupSet[], damaged: number): 'ok' | 'warning' | 'critical' {
  if (damaged > 0 || sets[0]?.verification?.ok === false) return 'critical';
  return sets[0]?.verification?.ok === true ? 'ok' : 'warning';
}
