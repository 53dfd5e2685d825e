import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { answers, launch, type Part } from './guard.ts';
import { exists } from './install/cache.ts';
import { writePrivate } from './state.ts';
import { appserviceYaml, homeserverYaml, logYaml, type SynapseConfig } from './synapse-config.ts';

export const adminLocalpart = 'opsroom-admin';

export type Synapse = {
  readonly url: string;
  readonly metricsUrl: string;
  readonly serverName: string;
  readonly registrationSharedSecret: string;
  /** The administrator's account (not the bot's) and its token. */
  readonly adminUser: string;
  readonly adminToken: string;
  /** homeserver.yaml, the signing key and media_store lie here. */
  readonly dir: string;
  readonly logFile: string;
  readonly pid: number;
  stop(): Promise<void>;
  start(): Promise<void>;
};

export class SynapseServer {
  readonly #python: string;
  readonly #config: () => SynapseConfig;
  readonly #logFile: string;
  readonly #signal: AbortSignal;
  #part: Part | undefined;

  constructor(python: string, config: () => SynapseConfig, logFile: string, signal: AbortSignal) {
    this.#python = python;
    this.#config = config;
    this.#logFile = logFile;
    this.#signal = signal;
  }

  get pid(): number {
    return this.#part?.pid ?? 0;
  }

  async configure(): Promise<void> {
    const config = this.#config();
    await mkdir(join(config.dir, 'media_store'), { recursive: true, mode: 0o700 });
    const keyFile = join(config.dir, `${config.serverName}.signing.key`);
    if (!(await exists(keyFile))) {
      const seed = randomBytes(32).toString('base64').replaceAll('=', '');
      await writePrivate(keyFile, `ed25519 a_${randomBytes(2).toString('hex')} ${seed}\n`);
    }
    await writePrivate(join(config.dir, 'log.yaml'), logYaml());
    await writePrivate(join(config.dir, 'telegram.yaml'), appserviceYaml(config.serverName, config.secrets));
    await writePrivate(join(config.dir, 'homeserver.yaml'), homeserverYaml(config));
  }

  async start(): Promise<void> {
    if (this.#part?.running) return;
    const config = this.#config();
    this.#part = await launch(
      {
        name: 'Synapse',
        command: this.#python,
        args: ['-m', 'synapse.app.homeserver', '--config-path', join(config.dir, 'homeserver.yaml')],
        cwd: config.dir,
        logFile: this.#logFile,
      },
      () => answers(`http://127.0.0.1:${config.port}/health`),
      { deadlineMs: 60_000, signal: this.#signal },
    );
  }

  async stop(): Promise<void> {
    await this.#part?.stop([
      ['SIGTERM', 5000],
      ['SIGKILL', 2000],
    ]);
  }
}
