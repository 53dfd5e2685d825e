import { rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OpsError } from '#domain/errors.ts';
import { runTool, which } from '../tool.ts';
import { installOnce, readMarker, type InstallContext } from './cache.ts';

export const livekitVersion = '1.13.5';

/** Returns the LiveKit server's program, built once with Go, which takes about 100 s on two cores. */
export async function installLivekit(context: InstallContext): Promise<string> {
  const name = `livekit-${livekitVersion}`;
  const go = which('go');
  const ready = join(context.cacheDir, name);
  if (!go && (await readMarker(ready)) === undefined) {
    const own = which('livekit-server');
    if (own) return own;
    throw new OpsError('unavailable', 'LiveKit is not installed and there is no Go on the PATH to build it.', {
      hint: 'curl -fsSL https://go.dev/dl/go1.26.0.linux-amd64.tar.gz | tar -C /usr/local -xz && export PATH=$PATH:/usr/local/go/bin',
    });
  }
  const dir = await installOnce(context, name, async (target) => {
    context.log(`building LiveKit ${livekitVersion} (about 100 s, once; the rest works meanwhile)`);
    await runTool('go', ['install', `github.com/livekit/livekit-server/cmd/server@v${livekitVersion}`], {
      cwd: tmpdir(),
      env: { ...process.env, GOBIN: join(target, 'bin') },
      nice: true,
      signal: context.signal,
      logFile: join(context.logDir, 'install-livekit.log'),
    });
    await rename(join(target, 'bin', 'server'), join(target, 'livekit-server'));
    await rm(join(target, 'bin'), { recursive: true, force: true });
    return livekitVersion;
  });
  return join(dir, 'livekit-server');
}
