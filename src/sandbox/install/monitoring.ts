import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { OpsError } from '#domain/errors.ts';
import { which } from '../tool.ts';
import { exists, installOnce, type InstallContext } from './cache.ts';
import type { DebianPackages } from './debian.ts';

/** Returns Prometheus' program: Debian's package unpacked in the cache, else what the PATH has. */
export function installPrometheus(context: InstallContext, debian: DebianPackages): Promise<string> {
  return install(context, debian, 'prometheus', 'usr/bin/prometheus', ['prometheus']);
}

/** Returns Alertmanager's program. */
export function installAlertmanager(context: InstallContext, debian: DebianPackages): Promise<string> {
  return install(context, debian, 'prometheus-alertmanager', 'usr/bin/prometheus-alertmanager', [
    'prometheus-alertmanager',
    'alertmanager',
  ]);
}

async function install(
  context: InstallContext,
  debian: DebianPackages,
  debianName: string,
  program: string,
  onPath: string[],
): Promise<string> {
  const own = onPath.map(which).find((path) => path !== undefined);
  if (own) return own;
  try {
    const dir = await installOnce(context, `${debianName}-debian`, async (target) => {
      context.log(`fetching ${debianName} (a few seconds, once)`);
      await debian.unpack([debianName], target);
      await relocate(join(target, program));
      return debianName;
    });
    return join(dir, program);
  } catch (error) {
    if (context.signal.aborted) throw error;
    throw new OpsError('unavailable', `${debianName} is neither on this machine nor could it be fetched.`, {
      hint: `apt-get install ${debianName}`,
      cause: error,
    });
  }
}

const compiledIn = '/usr/share/prometheus';
/** As many bytes, and the same folder once the process' working directory is `sharedFolder`. */
const relative = '/proc/self/cwd/./././';

/** Debian's programs have the folder of their templates and pages compiled in; unpacked elsewhere they look there. */
async function relocate(program: string): Promise<void> {
  const binary = await readFile(program);
  const replacement = Buffer.from(relative);
  for (let at = binary.indexOf(compiledIn); at >= 0; at = binary.indexOf(compiledIn, at + 1))
    replacement.copy(binary, at);
  await writeFile(program, binary);
}

/** The working directory for a program that was unpacked in the cache; one that is installed needs none. */
export async function sharedFolder(program: string): Promise<string> {
  const folder = join(dirname(program), '..', 'share', 'prometheus');
  return (await exists(folder)) ? folder : '/';
}
