import { appendFile, chown, mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { launch, type Part, type PartSpec } from './guard.ts';
import { pause, stopIfAsked } from './lock.ts';
import { postgresUser, type PostgresUser } from './postgres-user.ts';
import type { DataSecrets } from './state.ts';
import { writePrivate } from './state.ts';
import { runTool } from './tool.ts';

export type Postgres = {
  readonly host: '127.0.0.1';
  readonly port: number;
  readonly superuser: string;
  readonly superPassword: string;
  readonly user: 'synapse';
  readonly password: string;
  readonly database: 'synapse';
  /** The database of the owner's application, as a URL with its password. */
  readonly appUrl: string;
  readonly binDir: string;
  readonly pid: number;
  stop(): Promise<void>;
  start(): Promise<void>;
};

export type PostgresSetup = {
  dataDir: string;
  binDir: string;
  logFile: string;
  port: () => number;
  secrets: DataSecrets;
  signal: AbortSignal;
};

const superuser = 'postgres';

/** No fsync: the sandbox may lose data when the machine loses power, never when a process is killed. */
const settings = `
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
fsync = off
full_page_writes = off
jit = off
max_connections = 80
shared_buffers = 32MB
min_wal_size = 4MB
max_wal_size = 128MB
timezone = 'GMT'
log_timezone = 'GMT'
log_line_prefix = '%m [%p] %u@%d '
`;

export class PostgresServer {
  readonly #setup: PostgresSetup;
  readonly #user: PostgresUser;
  #part: Part | undefined;

  private constructor(setup: PostgresSetup, user: PostgresUser) {
    this.#setup = setup;
    this.#user = user;
  }

  static async prepare(setup: PostgresSetup): Promise<PostgresServer> {
    await mkdir(setup.dataDir, { recursive: true, mode: 0o700 });
    const user = await postgresUser([join(setup.dataDir, '..'), setup.binDir]);
    if (process.getuid?.() === 0) await chown(setup.dataDir, user.uid, user.gid);
    return new PostgresServer(setup, user);
  }

  /** Makes an empty cluster in the data directory. */
  async initialise(): Promise<void> {
    const { dataDir, secrets, signal, logFile } = this.#setup;
    const passwordFile = join(dataDir, '..', 'postgres-password');
    await writePrivate(passwordFile, secrets.superPassword);
    if (process.getuid?.() === 0) await chown(passwordFile, this.#user.uid, this.#user.gid);
    const options = ['-A', 'scram-sha-256', '--locale=C', '-E', 'UTF8', '--no-sync', '--wal-segsize=1'];
    try {
      await this.#tool('initdb', ['-D', dataDir, '-U', superuser, `--pwfile=${passwordFile}`, ...options], logFile);
    } finally {
      await rm(passwordFile, { force: true });
    }
    stopIfAsked(signal);
    await appendFile(join(dataDir, 'postgresql.conf'), settings);
  }

  /** Roles and databases of Synapse and of the owner's application. */
  async createDatabases(): Promise<void> {
    const { synapsePassword, appPassword } = this.#setup.secrets;
    const collation = `ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0`;
    await this.sql('postgres', [
      `CREATE ROLE synapse LOGIN PASSWORD '${synapsePassword}';`,
      `CREATE ROLE app LOGIN PASSWORD '${appPassword}';`,
      `CREATE DATABASE synapse OWNER synapse ${collation};`,
      `CREATE DATABASE app OWNER app ${collation};`,
    ]);
  }

  async start(): Promise<void> {
    const { dataDir, binDir, logFile, port, signal } = this.#setup;
    if (this.#part?.running) return;
    await this.#untilPredecessorIsGone();
    const ready = async (part: Part) => {
      const lines = (await readFile(join(dataDir, 'postmaster.pid'), 'utf8')).split('\n');
      return lines[0] === String(part.pid) && lines[7]?.trim() === 'ready';
    };
    const spec: PartSpec = {
      name: 'PostgreSQL',
      command: join(binDir, 'postgres'),
      args: ['-D', dataDir, '-p', String(port())],
      logFile,
      runAs: this.#user.setpriv,
      // SIGQUIT is its immediate shutdown: the postmaster ends its own children at once.
      onParentDeath: 'SIGQUIT',
    };
    this.#part = await launch(spec, ready, { deadlineMs: 30_000, everyMs: 20, signal });
  }

  async stop(): Promise<void> {
    // Fast shutdown, then immediate; a killed postmaster would leave its children behind for a moment.
    await this.#part?.stop([
      ['SIGINT', 6000],
      ['SIGQUIT', 3000],
      ['SIGKILL', 2000],
    ]);
  }

  /** Runs statements as the superuser, or as the given role. */
  async sql(
    database: string,
    statements: readonly string[],
    role: { name: string; password: string } = this.#root(),
  ): Promise<string> {
    return runTool(join(this.#setup.binDir, 'psql'), ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-f', '-'], {
      env: {
        ...process.env,
        PGHOST: '127.0.0.1',
        PGPORT: String(this.#setup.port()),
        PGUSER: role.name,
        PGPASSWORD: role.password,
        PGDATABASE: database,
      },
      input: statements.join('\n'),
      signal: this.#setup.signal,
    });
  }

  /** A consistent copy of the running cluster's files. */
  async copyTo(dir: string): Promise<void> {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    if (process.getuid?.() === 0) await chown(dir, this.#user.uid, this.#user.gid);
    const options = ['-X', 'fetch', '-c', 'fast', '--no-sync', '--no-manifest'];
    await this.#tool('pg_basebackup', ['-D', dir, ...options], this.#setup.logFile, {
      PGHOST: '127.0.0.1',
      PGPORT: String(this.#setup.port()),
      PGUSER: superuser,
      PGPASSWORD: this.#setup.secrets.superPassword,
    });
  }

  get part(): Postgres {
    const setup = this.#setup;
    const pid = () => this.#part?.pid ?? 0;
    return {
      host: '127.0.0.1',
      get port() {
        return setup.port();
      },
      superuser,
      superPassword: setup.secrets.superPassword,
      user: 'synapse',
      password: setup.secrets.synapsePassword,
      database: 'synapse',
      get appUrl() {
        return `postgres://app:${setup.secrets.appPassword}@127.0.0.1:${setup.port()}/app`;
      },
      binDir: setup.binDir,
      get pid() {
        return pid();
      },
      stop: () => this.stop(),
      start: () => this.start(),
    };
  }

  #root() {
    return { name: superuser, password: this.#setup.secrets.superPassword };
  }

  async #tool(program: string, args: string[], logFile: string, env: NodeJS.ProcessEnv = {}): Promise<void> {
    const command = join(this.#setup.binDir, program);
    const all =
      this.#user.setpriv.length > 0 ? ['setpriv', ...this.#user.setpriv, command, ...args] : [command, ...args];
    const options = { env: { ...process.env, ...env, LC_ALL: 'C' }, logFile, signal: this.#setup.signal };
    await runTool(all[0]!, all.slice(1), options);
  }

  /** A killed predecessor's server needs a moment to notice. */
  async #untilPredecessorIsGone(): Promise<void> {
    const end = performance.now() + 6000;
    while (performance.now() < end) {
      const text = await readFile(join(this.#setup.dataDir, 'postmaster.pid'), 'utf8').catch(() => '');
      const pid = text.split('\n')[0];
      const command = pid ? await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '') : '';
      if (!command.includes(this.#setup.dataDir)) return;
      await pause(50, this.#setup.signal);
    }
  }
}
