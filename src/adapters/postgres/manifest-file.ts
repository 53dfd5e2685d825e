import { lstat, readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { BackupId, Manifest } from '#domain/backups.ts';
import { hashOf } from '#domain/canonical.ts';
import { writeDurably, hashFile } from './disk.ts';

export const manifestName = 'manifest.json';
export const verdictName = 'verification.json';

const count = z.int().min(0);
const manifestSchema = z.strictObject({
  format: z.literal(1),
  id: z.string().transform((id) => id as BackupId),
  sequence: count,
  site: z.string(),
  startedAt: z.int(),
  endedAt: z.int(),
  opsroom: z.string(),
  database: z.strictObject({
    name: z.string(),
    serverVersion: z.string(),
    dumpVersion: z.string(),
    rows: z.record(z.string(), count),
    emptied: z.array(z.string()),
    rawBytes: count,
  }),
  // The name is joined to a path: no separators, no dot in front.
  files: z
    .array(z.strictObject({ name: z.string().regex(/^[A-Za-z0-9][\w.-]*$/), bytes: count, sha256: z.string() }))
    .min(1),
});

// `sha256` seals the rest; together with the fixed form below no bit of the file can turn unseen (reliability-goals E4).
const render = (body: object): string => `${JSON.stringify(body, null, 2)}\n`;

/** The last file of a set. */
export const writeManifest = (directory: string, manifest: Manifest): Promise<void> =>
  writeDurably(path.join(directory, manifestName), render({ ...manifest, sha256: hashOf(manifest) }));

export type ManifestRead = { ok: true; manifest: Manifest } | { ok: false; why: string };

/** `why` begins with the file's name. `id` is the name under which the set lies, or will. */
export async function readManifest(directory: string, id: BackupId): Promise<ManifestRead> {
  const bad = (why: string): ManifestRead => ({ ok: false, why: `${manifestName} ${why}` });
  let text: string;
  try {
    text = await readFile(path.join(directory, manifestName), 'utf8');
  } catch {
    return bad('is missing or can not be read');
  }
  try {
    const sealed: unknown = JSON.parse(text);
    const { sha256, ...body } = z.looseObject({ sha256: z.string() }).parse(sealed);
    if (render(sealed as object) !== text || hashOf(body) !== sha256) return bad('was changed after it was written');
    const manifest = manifestSchema.parse(body);
    return manifest.id === id ? { ok: true, manifest } : bad(`is that of another set, ${manifest.id}`);
  } catch {
    return bad('is damaged');
  }
}

/** Every difference between the files of a set and its manifest, each naming the file. */
export async function checkFiles(
  directory: string,
  manifest: Manifest,
  signal: AbortSignal,
  onBytes: (bytes: number) => void,
): Promise<string[]> {
  const problems: string[] = [];
  for (const { name, bytes, sha256 } of manifest.files) {
    const file = path.join(directory, name);
    const found = await lstat(file).catch(() => undefined);
    if (!found?.isFile()) problems.push(`${name} is missing`);
    else if (found.size !== bytes) problems.push(`${name} has ${found.size} bytes, ${bytes} were written`);
    else if ((await hashFile(file, signal, onBytes)).sha256 !== sha256)
      problems.push(`${name} was changed: its SHA-256 differs`);
  }
  const known = new Set([...manifest.files.map((file) => file.name), manifestName, verdictName]);
  const extra = (await readdir(directory)).filter((name) => !known.has(name));
  return [...problems, ...extra.map((name) => `${name} does not belong to the set`)];
}
