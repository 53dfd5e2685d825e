import { readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { BackupId, Verification } from '#domain/backups.ts';
import { syncDirectory, writeDurably } from './disk.ts';
import { verdictName } from './manifest-file.ts';
import { partialName } from './partial.ts';

const verdictSchema = z.strictObject({
  id: z.string().transform((id) => id as BackupId),
  at: z.int(),
  ok: z.boolean(),
  problems: z.array(z.string()),
  tables: z.int(),
  rows: z.int(),
  tookMs: z.number(),
});

/** A verdict that can't be read counts as none: the set has to be verified again. */
export async function readVerdict(set: string, id: BackupId): Promise<Verification | undefined> {
  try {
    const verdict = verdictSchema.parse(JSON.parse(await readFile(path.join(set, verdictName), 'utf8')));
    return verdict.id === id ? verdict : undefined;
  } catch {
    return undefined;
  }
}

/** Written beside the sets and renamed into its set, so that the set never holds half a file. */
export async function writeVerdict(root: string, set: string, verdict: Verification): Promise<void> {
  const draft = path.join(root, partialName(`verdict-${verdict.id}`));
  try {
    await rm(draft, { force: true });
    await writeDurably(draft, `${JSON.stringify(verdict, null, 2)}\n`);
    await rename(draft, path.join(set, verdictName));
    await syncDirectory(set);
  } catch (error) {
    await rm(draft, { force: true }).catch(() => undefined);
    throw error;
  }
}
