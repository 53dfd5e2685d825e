import { chmod, copyFile, mkdir, readFile, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { parseDocument } from 'yaml';
import { OpsError } from '#domain/errors.ts';
import { Secret } from '#domain/secret.ts';
import { replaceFile } from '../private-file.ts';

const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;

/** The text of a file, undefined when there is none. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw unreadable(path, error);
  }
}

/** Whole or not at all, of mode 0600, on the disk when it returns. `keepOld`: what was there stays as `.bak`. */
export async function writePrivate(path: string, text: string, options: { keepOld?: boolean } = {}): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    if (options.keepOld === true) await keepOld(path);
    await replaceFile(path, text);
  } catch (error) {
    throw new OpsError('unavailable', `Cannot write ${path}: ${codeOf(error) ?? 'it failed'}. It is as it was.`, {
      hint: 'This user must be allowed to write there; --out puts the files elsewhere.',
      cause: error,
    });
  }
}

async function keepOld(path: string): Promise<void> {
  try {
    await copyFile(path, `${path}.bak`);
    await chmod(`${path}.bak`, 0o600);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

/** A secret that the operator has put into a file. Throws `invalid`: also when others may open it. */
export async function readSecretFile(path: string, flag: string): Promise<Secret> {
  const { text, mode } = await readWithMode(path);
  refuseOpenFile(path, mode);
  return toSecret(text.trim(), path, flag);
}

/**
 * `registration_shared_secret` from a file that holds nothing else, or from homeserver.yaml, whose mode is Synapse's own
 * business.
 */
export async function readSharedSecret(path: string): Promise<Secret> {
  const flag = '--shared-secret-file';
  const { text, mode } = await readWithMode(path);
  if (/^[\w-]+:(\s|$)/m.test(text)) {
    const document = parseDocument(text, { prettyErrors: false });
    const value: unknown = document.errors.length === 0 ? document.toJS() : undefined;
    const config = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
    const [secret, secretPath] = [config['registration_shared_secret'], config['registration_shared_secret_path']];
    if (typeof secret === 'string') return toSecret(secret, path, flag);
    if (typeof secretPath === 'string') {
      const file = resolve(dirname(path), secretPath);
      return toSecret((await readWithMode(file)).text.trim(), file, flag);
    }
    throw new OpsError('invalid', `${path} holds no registration_shared_secret. Nothing was made.`, {
      hint: 'Add it to homeserver.yaml and restart Synapse, or use --admin-token-file.',
    });
  }
  refuseOpenFile(path, mode);
  return toSecret(text.trim(), path, flag);
}

async function readWithMode(path: string): Promise<{ text: string; mode: number }> {
  try {
    return { text: await readFile(path, 'utf8'), mode: (await stat(path)).mode & 0o777 };
  } catch (error) {
    throw unreadable(path, error);
  }
}

function unreadable(path: string, error: unknown): OpsError {
  const code = codeOf(error);
  const why =
    code === 'ENOENT'
      ? 'there is no such file'
      : code === 'EACCES'
        ? 'this user may not read it'
        : (code ?? 'it cannot be read');
  return new OpsError('invalid', `Cannot read ${path}: ${why}.`, { cause: error });
}

function refuseOpenFile(path: string, mode: number): void {
  if ((mode & 0o077) === 0) return;
  throw new OpsError(
    'invalid',
    `Others may open ${path} (mode 0${mode.toString(8)}), so it is no place for a secret.`,
    {
      hint: `Type: chmod 600 ${path}`,
    },
  );
}

function toSecret(value: string, path: string, flag: string): Secret {
  if (value === '')
    throw new OpsError('invalid', `${path} is empty.`, { hint: `${flag} wants the secret alone in it.` });
  if (/[\r\n]/.test(value)) {
    throw new OpsError('invalid', `${path} holds more than one line.`, {
      hint: `${flag} wants the secret alone in it.`,
    });
  }
  return new Secret(value);
}

/** The files that hold what `init` makes, beside the settings. */
export class SecretsDirectory {
  readonly path: string;

  constructor(settingsFile: string) {
    this.path = join(dirname(resolve(settingsFile)), 'secrets');
  }

  async find(name: string): Promise<Secret | undefined> {
    const text = (await readIfThere(join(this.path, name)))?.trim();
    return text === undefined || text === '' ? undefined : new Secret(text);
  }

  /** Writes unless it holds the same already. */
  async put(name: string, secret: Secret, options: { keepOld?: boolean } = {}): Promise<void> {
    const known = await this.find(name);
    const path = join(this.path, name);
    if (known?.reveal() === secret.reveal()) await chmod(path, 0o600);
    else await writePrivate(path, `${secret.reveal()}\n`, options);
  }
}
