import { readdirSync } from 'node:fs';
import { OpsError } from '#domain/errors.ts';

/** Finds what is offered by its path: `backup/now.ts` is `backup now`. A wrong file stops the start and is named. */
export async function discover<T>(folder: URL, isOne: (value: unknown) => value is T): Promise<Map<string, T>> {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .sort();
  const found = await Promise.all(
    files.map(async (file): Promise<[string, T]> => {
      const module = (await import(new URL(file, folder).href)) as { default?: unknown };
      if (!isOne(module.default)) throw new OpsError('internal', `${file} exports nothing that can be offered.`);
      return [file.replace(/\.ts$/, '').replaceAll(/[/\\]/g, ' '), module.default];
    }),
  );
  return new Map(found);
}
