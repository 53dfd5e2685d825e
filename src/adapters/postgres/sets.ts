import { mkdir, readdir } from 'node:fs/promises';
import path from 'node:path';
import { type BackupId, type BackupSet, type DamagedSet, isBackupId, sequenceOf } from '#domain/backups.ts';
import { readManifest } from './manifest-file.ts';
import { readVerdict } from './verdict-file.ts';

/** Makes the directory when it is missing, closed to others; one that exists keeps the modes its owner gave it. */
export async function openDirectory(root: string): Promise<void> {
  await mkdir(root, { recursive: true, mode: 0o700 });
}

/** Ids of all that lies under a set's name, newest first. */
export async function listIds(root: string): Promise<BackupId[]> {
  const entries = await readdir(root, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const ids = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  return ids.filter(isBackupId).sort((a, b) => sequenceOf(b) - sequenceOf(a) || (a < b ? 1 : -1));
}

export async function readSet(root: string, id: BackupId): Promise<BackupSet | DamagedSet> {
  const directory = path.join(root, id);
  const read = await readManifest(directory, id);
  if (!read.ok) return { id, why: read.why, path: directory };
  const bytes = read.manifest.files.reduce((sum, file) => sum + file.bytes, 0);
  return { manifest: read.manifest, bytes, verification: await readVerdict(directory, id), path: directory };
}

export async function readSets(root: string): Promise<{ sets: BackupSet[]; damaged: DamagedSet[] }> {
  const all = await Promise.all((await listIds(root)).map((id) => readSet(root, id)));
  return {
    sets: all.filter((set) => 'manifest' in set),
    damaged: all.filter((set) => 'why' in set),
  };
}
