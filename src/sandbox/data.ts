import { join } from 'node:path';
import { exists } from './install/cache.ts';
import type { DebianPackages } from './install/debian.ts';
import { installPostgres } from './install/postgres.ts';
import { installSynapse } from './install/synapse.ts';
import { PostgresServer } from './postgres.ts';
import type { Run } from './run.ts';
import { newDataSecrets, type DataState } from './state.ts';
import { register } from './synapse-client.ts';
import type { RateLimits } from './synapse-config.ts';
import { adminLocalpart, SynapseServer } from './synapse.ts';
import {
  halfSeededFile,
  publishTemplate,
  removeData,
  restoreTemplate,
  templateFolder,
  type TemplateName,
} from './template.ts';

export type DataOptions = { serverName: string; rateLimits: RateLimits; seeded: boolean };

/** Synapse on PostgreSQL: all of the sandbox that has a memory. */
export class Data {
  readonly postgres: PostgresServer;
  readonly synapse: SynapseServer;
  readonly state: DataState;
  readonly #run: Run;
  readonly #binDir: string;

  private constructor(run: Run, binDir: string, postgres: PostgresServer, synapse: SynapseServer, state: DataState) {
    this.#run = run;
    this.#binDir = binDir;
    this.postgres = postgres;
    this.synapse = synapse;
    this.state = state;
  }

  static async open(run: Run, debian: DebianPackages, options: DataOptions): Promise<Data> {
    run.board.set('postgres', 'installing');
    run.board.set('synapse', 'installing');
    const [binDir, python] = await Promise.all([
      installPostgres(run.context, debian).catch((error: unknown) => {
        run.fail('postgres', error);
        throw error;
      }),
      installSynapse(run.context, debian).catch((error: unknown) => {
        run.fail('synapse', error);
        throw error;
      }),
    ]);
    const isHalf = options.seeded && (await exists(join(run.dir, halfSeededFile)));
    const kept = isHalf ? undefined : run.state.data;
    const known = kept ?? (await restored(run, binDir, options.seeded));
    const state = known ?? { secrets: newDataSecrets(), adminToken: '' };
    if (!known) await removeData(run.dir);
    const ports = run.ports.map;
    const { signal } = run.context;
    const synapseDir = join(run.dir, 'synapse');
    const postgres = await PostgresServer.prepare({
      dataDir: join(run.dir, 'postgres'),
      binDir,
      logFile: run.logFile('postgres'),
      port: () => ports.postgres,
      secrets: state.secrets,
      signal,
    });
    const config = () => ({
      serverName: options.serverName,
      dir: synapseDir,
      port: ports.synapse,
      metricsPort: ports.synapseMetrics,
      postgresPort: ports.postgres,
      rateLimits: options.rateLimits,
      secrets: state.secrets,
    });
    const synapse = new SynapseServer(python, config, run.logFile('synapse'), signal);
    const data = new Data(run, binDir, postgres, synapse, state);
    try {
      await data.#start(known === undefined);
    } catch (error) {
      await data.stop();
      throw error;
    }
    return data;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#run.ports.map.synapse}`;
  }

  async publish(name: TemplateName): Promise<void> {
    const folder = await templateFolder(name, this.#binDir);
    await publishTemplate(this.#run.context, folder, this.#run.dir, this.state, (to) => this.postgres.copyTo(to));
  }

  async stop(): Promise<void> {
    await this.synapse.stop();
    await this.postgres.stop();
  }

  async #start(isNew: boolean): Promise<void> {
    const run = this.#run;
    if (isNew) await this.postgres.initialise();
    await run.start('postgres', ['postgres'], () => this.postgres.start());
    if (isNew) await this.postgres.createDatabases();
    await run.start('synapse', ['synapse', 'synapseMetrics'], async () => {
      await this.synapse.configure();
      await this.synapse.start();
    });
    if (isNew) {
      const { registration, adminPassword } = this.state.secrets;
      const account = { username: adminLocalpart, password: adminPassword, admin: true, displayname: 'Opsroom admin' };
      this.state.adminToken = (await register(this.url, registration, account)).token;
    }
    // Last: a start that was cut off before this begins again with empty databases.
    run.state.data = this.state;
    await run.remember();
    if (isNew) await this.publish('empty');
  }
}

async function restored(run: Run, binDir: string, seeded: boolean): Promise<DataState | undefined> {
  const names: TemplateName[] = seeded ? ['seeded', 'empty'] : ['empty'];
  for (const name of names) {
    const state = await restoreTemplate(run.context, await templateFolder(name, binDir), run.dir);
    if (state) return state;
  }
  return undefined;
}
