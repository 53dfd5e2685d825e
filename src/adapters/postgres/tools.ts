import { execFile } from 'node:child_process';
import { access, constants, readdir } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { OpsError } from '#domain/errors.ts';
import { childEnv } from './child.ts';

export type ToolName = 'pg_dump' | 'pg_restore';
export type Tool = { file: string; version: string; major: number };

const run = promisify(execFile);
const debianRoot = '/usr/lib/postgresql';

/**
 * Finds a client program that is new enough. Debian's versions are tried before `/usr/bin`, where a wrapper picks the
 * version of the local cluster, which need not be the server's. Throws `misconfigured`.
 */
export async function findTool(name: ToolName, leastMajor: number, binDir?: string): Promise<Tool> {
  const seen: Tool[] = [];
  for (const directory of binDir === undefined ? await usualPlaces() : [binDir]) {
    const tool = await lookAt(path.join(directory, name));
    if (tool === undefined) continue;
    if (tool.major >= leastMajor) return tool;
    seen.push(tool);
  }
  const first = seen[0];
  const found = first === undefined ? `there is no ${name}` : `${first.file} is version ${first.version}`;
  throw new OpsError('misconfigured', `${name} of PostgreSQL ${leastMajor} or newer is needed, ${found}.`, {
    hint: `Install postgresql-client-${leastMajor}, or set postgres.binDirectory to the directory that holds it.`,
  });
}

async function usualPlaces(): Promise<string[]> {
  const versions = await readdir(debianRoot).catch(() => [] as string[]);
  const newestFirst = versions.filter((name) => /^\d+$/.test(name)).sort((a, b) => Number(b) - Number(a));
  return [...newestFirst.map((version) => path.join(debianRoot, version, 'bin')), ...childEnv().PATH.split(':')];
}

async function lookAt(file: string): Promise<Tool | undefined> {
  try {
    await access(file, constants.X_OK);
    const { stdout } = await run(file, ['--version'], { env: childEnv(), timeout: 10_000 });
    const version = /\) (\d+[\d.]*)/.exec(stdout)?.[1];
    return version === undefined ? undefined : { file, version, major: Number.parseInt(version, 10) };
  } catch {
    return undefined;
  }
}

const largeWriteBytes = 1 << 18;

/**
 * The command to start a program whose output is read as a stream. pg_dump writes 4 KiB at a time, each of which wakes
 * the reader; with coreutils' stdbuf, where it works, a whole backup takes a fifth less time. Tried before it is used.
 */
export async function withLargeWrites(file: string): Promise<[string, ...string[]]> {
  for (const directory of childEnv().PATH.split(':')) {
    const stdbuf = path.join(directory, 'stdbuf');
    const option = `-o${largeWriteBytes}`;
    const works = await run(stdbuf, [option, file, '--version'], { env: childEnv(), timeout: 10_000 }).then(
      () => true,
      () => false,
    );
    if (works) return [stdbuf, option, file];
  }
  return [file];
}
