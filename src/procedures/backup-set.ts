import { type BackupId, type BackupSet, type BackupStore, type DamagedSet, pickSet } from '#domain/backups.ts';
import { OpsError } from '#domain/errors.ts';

export type NamedSet = { id: BackupId; set: BackupSet | undefined; damaged: DamagedSet | undefined };

/** The set that a person names, also one whose manifest is damaged. Throws `notFound` or `invalid`. */
export async function nameSet(backups: BackupStore, text: string): Promise<NamedSet> {
  const set = await backups.find(text);
  if (set !== undefined) return { id: set.manifest.id, set, damaged: undefined };
  const damaged = pickSet(await backups.damaged(), text);
  if (damaged !== undefined) return { id: damaged.id, set: undefined, damaged };
  throw new OpsError('notFound', `There is no backup "${text.trim()}".`, { hint: '!backup list shows them.' });
}
