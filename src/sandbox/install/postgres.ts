import { chmod, glob, mkdir, realpath, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { OpsError } from '#domain/errors.ts';
import { runTool, which } from '../tool.ts';
import { exists, installOnce, type InstallContext } from './cache.ts';
import type { DebianPackages } from './debian.ts';

const programs = [
  'initdb',
  'postgres',
  'pg_ctl',
  'psql',
  'pg_dump',
  'pg_restore',
  'pg_basebackup',
  'createdb',
  'dropdb',
];
/** Dependencies that the server runs without: `llvm` serves only its JIT, which the sandbox switches off. */
const unneeded = /llvm|libz3|perl|libjson|libnss|libpam-modules|libselinux|libsemanage|libsepol|libaudit/;

/** Returns the folder of PostgreSQL's programs: the machine's own, else Debian's packages unpacked in the cache. */
export async function installPostgres(context: InstallContext, debian: DebianPackages): Promise<string> {
  const present = await findOnMachine();
  if (present) return present;
  const dir = await installOnce(context, 'postgresql-debian', async (target) => {
    try {
      return await unpackPostgres(target, context, debian);
    } catch (error) {
      if (context.signal.aborted) throw error;
      throw new OpsError('unavailable', 'PostgreSQL is neither on this machine nor could it be fetched.', {
        hint: 'apt-get install postgresql',
        cause: error,
      });
    }
  });
  return join(dir, 'bin');
}

async function findOnMachine(): Promise<string | undefined> {
  const folders: string[] = [];
  const initdb = which('initdb');
  // Debian's /usr/bin/psql is a Perl wrapper; what initdb links to is the folder of the real programs.
  if (initdb) folders.push(dirname(await realpath(initdb)));
  const debianFolders = await Array.fromAsync(glob('/usr/lib/postgresql/*/bin'));
  folders.push(...debianFolders.sort((a, b) => major(b) - major(a)));
  for (const folder of folders) {
    const all = await Promise.all(programs.map((program) => exists(join(folder, program))));
    if (all.every(Boolean)) return folder;
  }
  return undefined;
}

function major(folder: string): number {
  return Number(/postgresql\/(\d+)/.exec(folder)?.[1] ?? 0);
}

async function unpackPostgres(target: string, context: InstallContext, debian: DebianPackages): Promise<string> {
  context.log('fetching PostgreSQL (about 10 s, once)');
  const missing = await debian.missingFor('postgresql');
  const wanted = missing.filter((name) => /^(lib|postgresql-(client-)?\d)/.test(name) && !unneeded.test(name));
  await debian.unpack(wanted, target);
  const real = (await Array.fromAsync(glob(join(target, 'usr/lib/postgresql/*/bin'))))[0];
  if (!real) throw new Error('no programs in the packages');
  const libraries = await libraryFolders(target);
  await mkdir(join(target, 'bin'));
  // Wrappers, so that whoever runs pg_dump from here needn't know where its libraries lie; exec keeps the process id.
  for (const program of programs) {
    const wrapper = join(target, 'bin', program);
    const path = libraries.map(quoted).join(':');
    const line = `LD_LIBRARY_PATH=${path} exec ${quoted(join(real, program))} "$@"`;
    await writeFile(wrapper, `#!/bin/sh\n${line}\n`);
    await chmod(wrapper, 0o755);
  }
  const versions = programs.map((program) =>
    runTool(join(target, 'bin', program), ['--version'], { signal: context.signal }),
  );
  return (await Promise.all(versions))[0]!.trim();
}

async function libraryFolders(target: string): Promise<string[]> {
  const found = await Array.fromAsync(glob(join(target, '{usr/lib,lib}/*-linux-*')));
  return found.sort();
}

function quoted(path: string): string {
  return `'${path.replaceAll("'", `'\\''`)}'`;
}
