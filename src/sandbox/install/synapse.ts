import { glob, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { OpsError } from '#domain/errors.ts';
import { runTool, which } from '../tool.ts';
import { installOnce, type InstallContext } from './cache.ts';
import type { DebianPackages } from './debian.ts';

export const synapseVersion = '1.163.2';

/** Returns the Python of a virtual environment that holds Synapse. */
export async function installSynapse(context: InstallContext, debian: DebianPackages): Promise<string> {
  const build = async (dir: string) => {
    if (!which('python3')) {
      throw new OpsError('unavailable', 'Synapse can not be installed: there is no python3 on the PATH.', {
        hint: 'apt-get install python3 python3-venv',
      });
    }
    context.log(`installing Synapse ${synapseVersion} (about 20 s, once)`);
    const options = { signal: context.signal, logFile: join(context.logDir, 'install-synapse.log') };
    // Without pip: a bare Debian has no ensurepip, and pip runs from its wheel just as well, 4 s sooner.
    await runTool('python3', ['-m', 'venv', '--without-pip', dir], options);
    const python = join(dir, 'bin', 'python');
    const wheel = await pipWheel(python, dir, debian);
    const wanted = [`matrix-synapse==${synapseVersion}`, 'psycopg2-binary'];
    await runTool(
      python,
      [join(wheel, 'pip'), 'install', '--no-compile', '--no-cache-dir', '--only-binary', ':all:', ...wanted],
      options,
    );
    // pip compiles one file after the other; this uses every core.
    await runTool(python, ['-m', 'compileall', '-q', '-j', '0', join(dir, 'lib')], options).catch(() => '');
    await runTool(python, ['-c', 'import synapse.app.homeserver, psycopg2'], options);
    return realpath(python);
  };
  // A new Python on the machine (3.11 to 3.12) leaves the environment's packages behind.
  const valid = async (note: string, dir: string) =>
    note === (await realpath(join(dir, 'bin', 'python')).catch(() => undefined));
  const dir = await installOnce(context, `synapse-${synapseVersion}`, build, valid);
  return join(dir, 'bin', 'python');
}

async function pipWheel(python: string, dir: string, debian: DebianPackages): Promise<string> {
  const bundled = await runTool(python, ['-c', 'import ensurepip; print(ensurepip.__path__[0])']).catch(
    () => undefined,
  );
  if (bundled !== undefined) {
    for await (const wheel of glob(join(bundled.trim(), '_bundled', 'pip-*.whl'))) return wheel;
  }
  const unpacked = join(dir, 'pip');
  try {
    await debian.unpack(['python3-pip-whl'], unpacked);
    for await (const wheel of glob(join(unpacked, 'usr/share/python-wheels/pip-*.whl'))) return wheel;
  } catch (error) {
    throw new OpsError('unavailable', 'Synapse can not be installed: this Python has no pip.', {
      hint: 'apt-get install python3-venv',
      cause: error,
    });
  }
  throw new OpsError('unavailable', 'Synapse can not be installed: python3-pip-whl holds no pip.', {
    hint: 'apt-get install python3-venv',
  });
}
