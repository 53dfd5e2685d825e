import { readFileSync } from 'node:fs';
import { chown, mkdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { parseDocument } from 'yaml';
import { OpsError } from '#domain/errors.ts';
import type { Secret } from '#domain/secret.ts';
import { replaceFile } from '../private-file.ts';

type Place = { file: string } | { env: string };
export type SecretName = 'matrix.accessToken' | 'matrix.password' | 'synapse.adminToken';

/** Where the settings say that a secret is, and where a new one therefore goes. */
export class SecretPlaces {
  /** What a person has to do, since the bot can't reach into its own environment. */
  readonly steps: string[] = [];
  readonly #directory: string;
  readonly #handover: string;
  readonly #read: (path: string[]) => unknown;

  /** `handover`: for what belongs into an environment variable. */
  constructor(settingsFile: string, handover: string) {
    const file = resolve(settingsFile);
    const document = parseDocument(readFileSync(file, 'utf8'), { prettyErrors: false });
    this.#directory = dirname(file);
    this.#handover = handover;
    this.#read = (path) => document.getIn(path);
  }

  #find(name: SecretName): Place | undefined {
    const path = name.split('.');
    const [file, env] = [this.#read([...path, 'file']), this.#read([...path, 'env'])];
    if (typeof file === 'string') return { file: resolve(this.#directory, file) };
    return typeof env === 'string' ? { env } : undefined;
  }

  /** In words: where `put` would write. */
  where(name: SecretName): string {
    const place = this.#place(name);
    return 'file' in place ? place.file : `${this.#handoverFile(name)} (it belongs into $${place.env})`;
  }

  /** A password that no setting names lies beside the token, where `init` puts it. */
  #place(name: SecretName): Place {
    const found = this.#find(name);
    if (found !== undefined) return found;
    const token = this.#find('matrix.accessToken');
    const beside = token !== undefined && 'file' in token ? dirname(token.file) : this.#handover;
    return { file: join(beside, 'matrix-password') };
  }

  #handoverFile = (name: SecretName): string => join(this.#handover, name.replace('.', '-'));

  async put(name: SecretName, secret: Secret): Promise<string> {
    const place = this.#place(name);
    if ('file' in place) {
      await putPrivate(place.file, `${secret.reveal()}\n`);
      return place.file;
    }
    const file = this.#handoverFile(name);
    await putPrivate(file, `${secret.reveal()}\n`);
    this.steps.push(`Put what is in ${file} into the environment variable ${place.env}, then: rm ${file}`);
    return file;
  }
}

/**
 * Whole or not at all, of mode 0600, on the disk when it returns, and of the same Unix user as what was there: root must
 * not shut the bot out of its own token.
 */
export async function putPrivate(path: string, text: string): Promise<void> {
  try {
    const created = await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const owner = await stat(path).catch(() => stat(dirname(created ?? path)));
    if (created !== undefined) await chown(dirname(path), owner.uid, owner.gid);
    await replaceFile(path, text, owner);
  } catch (cause) {
    const code = (cause as { code?: string }).code ?? 'it failed';
    throw new OpsError('unavailable', `Cannot write ${path} (${code}). What was there is as it was.`, {
      hint: 'Run it as the Unix user of the bot, or as root.',
      cause,
    });
  }
}
