import { glob, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { OpsError } from '#domain/errors.ts';
import { lock, stopIfAsked } from '../lock.ts';
import { runTool, which } from '../tool.ts';
import type { InstallContext } from './cache.ts';

/**
 * Debian packages are unpacked into the cache, not installed: no service starts, nothing on the machine changes and root
 * isn't needed. Package lists are the machine's own, else private ones in the cache, fetched once per run.
 */
export class DebianPackages {
  readonly #context: InstallContext;
  #updated: Promise<void> | undefined;

  constructor(context: InstallContext) {
    this.#context = context;
  }

  get available(): boolean {
    return which('apt-get') !== undefined && which('dpkg') !== undefined;
  }

  /** Downloads the packages and unpacks them into `into`. */
  async unpack(names: readonly string[], into: string): Promise<void> {
    const download = join(into, 'download');
    await mkdir(download, { recursive: true });
    await this.#apt(['download', ...names], download);
    const logFile = this.#logFile();
    for await (const file of glob('*.deb', { cwd: download })) {
      await runTool('dpkg', ['-x', join(download, file), into], { signal: this.#context.signal, logFile });
    }
    await rm(download, { recursive: true, force: true });
  }

  /** What `apt-get install name` would add to this machine: the package and its missing dependencies. */
  async missingFor(name: string): Promise<string[]> {
    const plan = await this.#apt(['install', '--simulate', '--no-install-recommends', name], '/');
    return [...plan.matchAll(/^Inst (\S+)/gm)].map((match) => match[1]!);
  }

  async #apt(args: string[], cwd: string): Promise<string> {
    if (!this.available) throw new OpsError('unavailable', 'This machine has no apt-get.');
    const run = (options: string[]) =>
      runTool('apt-get', ['-q', '-o', 'APT::Sandbox::User=root', ...options, ...args], {
        cwd,
        env: { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' },
        signal: this.#context.signal,
        logFile: this.#logFile(),
      });
    try {
      return await run([]);
    } catch {
      // No lists (a fresh machine) or lists too old for the mirror: both end with lists of our own.
      stopIfAsked(this.#context.signal);
      await (this.#updated ??= this.#update());
      return run(this.#privateLists());
    }
  }

  async #update(): Promise<void> {
    const root = join(this.#context.cacheDir, 'apt');
    await mkdir(join(root, 'lists', 'partial'), { recursive: true });
    await mkdir(join(root, 'cache', 'archives', 'partial'), { recursive: true });
    const waiting = () => this.#context.log('another process is fetching package lists; waiting for it');
    using _held = await lock(join(this.#context.cacheDir, 'apt.lock'), waiting, this.#context.signal);
    this.#context.log('fetching package lists');
    await runTool('apt-get', ['-q', '-o', 'APT::Sandbox::User=root', ...this.#privateLists(), 'update'], {
      signal: this.#context.signal,
      logFile: this.#logFile(),
    });
  }

  #privateLists(): string[] {
    const root = join(this.#context.cacheDir, 'apt');
    return ['-o', `Dir::State::Lists=${join(root, 'lists')}`, '-o', `Dir::Cache=${join(root, 'cache')}`];
  }

  #logFile(): string {
    return join(this.#context.logDir, 'install-packages.log');
  }
}
