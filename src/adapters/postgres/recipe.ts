import type { BackupFile, BackupId } from '#domain/backups.ts';

export const recipeName = 'RESTORE.txt';

/** How to restore without this program, with `zstd` and PostgreSQL's own tools. trust.md 25. Commands are indented. */
export function recipe(set: {
  id: BackupId;
  site: string;
  database: string;
  serverVersion: string;
  dumpVersion: string;
  emptied: string[];
  dump: BackupFile;
}): string {
  const major = Number.parseInt(set.dumpVersion, 10);
  const { name, sha256 } = set.dump;
  return `Backup ${set.id} of the database "${set.database}" (${set.site}), PostgreSQL ${set.serverVersion}.

To restore it, in bash, in this directory, with zstd and the client tools of PostgreSQL ${major} or newer.
NAME is a new, empty database and OWNER the role that Synapse uses. Never restore over existing tables.

1. Is the file what was written?

    echo '${sha256}  ${name}' | sha256sum -c -

2. Stop Synapse, all workers.

3. Make the database. Synapse needs UTF8 and the locale C.

    createdb --template=template0 --encoding=UTF8 --locale=C --owner=OWNER NAME

4. Restore. "pipefail" makes a broken file show in the exit code.

    set -o pipefail
    zstd -d -c ${name} | pg_restore --exit-on-error --no-owner --role=OWNER --dbname=NAME

5. Compare: manifest.json has the exact number of rows of each table under "rows".
${set.emptied.length === 0 ? '' : emptiedNote(set.emptied)}
6. Point Synapse at NAME and start it: the same version as at the backup, or a newer one.
`;
}

const emptiedNote = (tables: string[]): string => `
   Left empty on purpose: ${tables.join(', ')}.
   A one-time key that is handed out twice makes messages unreadable; clients upload new ones by themselves.
`;
