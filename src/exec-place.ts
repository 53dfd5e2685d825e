import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseDocument } from 'yaml';
import { OpsError } from '#domain/errors.ts';

/**
 * Where the door of the shell is. Reads these two settings and no secret, since whoever calls may not be allowed to read
 * those. Throws `invalid`.
 */
export function doorDirectories(settingsFile: string): { own: string; shared: string | undefined } {
  const file = resolve(settingsFile);
  const document = parseDocument(readText(file), { prettyErrors: false });
  const read = (path: string[]): string | undefined => {
    const value: unknown = document.getIn(path);
    return typeof value === 'string' ? resolve(dirname(file), value) : undefined;
  };
  return { own: read(['dataDir']) ?? resolve(dirname(file), '.data'), shared: read(['shell', 'directory']) };
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new OpsError(
      'invalid',
      `Cannot read the settings ${file} (${(cause as { code?: string }).code ?? 'why?'}).`,
      {
        hint: 'Who may not read them says where the bot listens: --door PATH (shell.directory/door.sock).',
        cause,
      },
    );
  }
}
