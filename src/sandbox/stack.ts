import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { OpsError } from '#domain/errors.ts';
import { startAlertmanager, type Alertmanager } from './alertmanager.ts';
import { Data } from './data.ts';
import { defaultCacheDir } from './install/cache.ts';
import { DebianPackages } from './install/debian.ts';
import { installLivekit } from './install/livekit.ts';
import { installAlertmanager, installPrometheus } from './install/monitoring.ts';
import { startLivekit, type Livekit } from './livekit.ts';
import { tryLock } from './lock.ts';
import { claimPorts, type PortName } from './ports.ts';
import type { Postgres } from './postgres.ts';
import { startPrometheus, type Prometheus } from './prometheus.ts';
import { Run } from './run.ts';
import { readState } from './state.ts';
import { StatusBoard, type PartStatus } from './status.ts';
import type { RateLimits } from './synapse-config.ts';
import { adminLocalpart, type Synapse } from './synapse.ts';
import { which } from './tool.ts';

export const serverName = 'opsroom.test';

type BackgroundPart = 'livekit' | 'prometheus' | 'alertmanager';

export type StackOptions = {
  /** The run directory: data, configuration and logs. One that exists is used again. */
  dir: string;
  /** Installed programs, once per version; by default `$XDG_CACHE_HOME/opsroom`. */
  cacheDir?: string;
  log: (line: string) => void;
  signal?: AbortSignal;
  /** PostgreSQL comes with Synapse. Default: all. */
  parts?: readonly ('synapse' | BackgroundPart)[];
  /** What Synapse allows an ordinary sender; logins, joins and new rooms are raised in both. */
  rateLimits?: RateLimits;
  /** A new run directory starts as the seeded place if this machine has made one before; `seed` then has little to do. */
  seeded?: boolean;
};

export type Addresses = {
  livekit: { url: string; metricsUrl: string; apiKey: string; apiSecret: string };
  prometheusUrl: string;
  alertmanagerUrl: string;
  /** `host:port`, free for the bot's own HTTP. */
  bot: string;
};

export interface Stack extends AsyncDisposable {
  readonly dir: string;
  readonly serverName: string;
  readonly synapse: Synapse;
  readonly postgres: Postgres;
  /** May take minutes the first time; rejects with what mends it when a part is missing. */
  readonly livekit: Promise<Livekit>;
  readonly prometheus: Promise<Prometheus>;
  readonly alertmanager: Promise<Alertmanager>;
  /** Where each part is or will be; known before it is ready. */
  readonly addresses: Addresses;
  status(): PartStatus[];
  /** Statements on one of the databases, as the superuser or another role. */
  sql(database: string, statements: readonly string[], role?: { name: string; password: string }): Promise<string>;
  /** Keeps the present state in the cache, for `seeded`. */
  publishSeeded(): Promise<void>;
  /** What an application service (a bridge) proves itself with. */
  readonly appserviceToken: string;
}

/** Resolves when Synapse answers; the other parts go on behind. Whatever was started ends with the stack or the process. */
export async function openStack(options: StackOptions): Promise<Stack> {
  if (!which('setpriv')) {
    throw new OpsError('unavailable', 'The sandbox needs setpriv, so that its parts end with it.', {
      hint: 'apt-get install util-linux',
    });
  }
  await using opening = new AsyncDisposableStack();
  const stopping = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, stopping.signal]) : stopping.signal;
  const run = await openRun(options, signal, opening);
  const debian = new DebianPackages(run.context);
  const parts = new Set(options.parts ?? ['synapse', 'livekit', 'prometheus', 'alertmanager']);
  const stops: Promise<() => Promise<void>>[] = [];
  opening.defer(async () => {
    stopping.abort();
    await Promise.all((await Promise.all(stops)).map((stop) => stop()));
  });

  const behind = <T extends { stop(): Promise<void> }>(
    part: BackgroundPart,
    ports: readonly PortName[],
    install: () => Promise<string>,
    start: (program: string) => Promise<T>,
  ): Promise<T> => {
    const started = (async () => {
      if (!parts.has(part)) throw new OpsError('misconfigured', `This sandbox was opened without ${part}.`);
      run.board.set(part, 'installing');
      const program = await install();
      return run.start(part, ports, () => start(program));
    })();
    const stop = started.then(
      (running) => () => running.stop(),
      (error: unknown) => {
        if (parts.has(part)) run.fail(part, error);
        return () => Promise.resolve();
      },
    );
    stops.push(stop);
    return started;
  };
  const setup = (part: BackgroundPart, program: string) => ({
    program,
    dir: join(run.dir, part),
    logFile: run.logFile(part),
    ports: run.ports.map,
    signal,
  });
  const livekit = behind(
    'livekit',
    ['livekit', 'livekitTcp', 'livekitUdp', 'livekitMetrics'],
    () => installLivekit(run.context),
    (program) => startLivekit({ ...setup('livekit', program), secrets: run.state.livekit }),
  );
  const prometheus = behind(
    'prometheus',
    ['prometheus'],
    () => installPrometheus(run.context, debian),
    (program) => startPrometheus(setup('prometheus', program)),
  );
  const alertmanager = behind(
    'alertmanager',
    ['alertmanager'],
    () => installAlertmanager(run.context, debian),
    (program) => startAlertmanager(setup('alertmanager', program)),
  );

  const { rateLimits = 'default', seeded = false } = options;
  const data = parts.has('synapse') ? await Data.open(run, debian, { serverName, rateLimits, seeded }) : undefined;
  if (data) stops.push(Promise.resolve(() => data.stop()));
  const needed = (): Data => {
    if (!data) throw new OpsError('misconfigured', 'This sandbox was opened without Synapse.');
    return data;
  };
  const opened = opening.move();
  return {
    dir: run.dir,
    serverName,
    get synapse() {
      return synapseOf(run, needed());
    },
    get postgres() {
      return needed().postgres.part;
    },
    get appserviceToken() {
      return needed().state.secrets.appserviceToken;
    },
    livekit,
    prometheus,
    alertmanager,
    get addresses() {
      return addressesOf(run);
    },
    status: () => run.board.list(),
    sql: (database, statements, role) => needed().postgres.sql(database, statements, role),
    publishSeeded: () => needed().publish('seeded'),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

async function openRun(options: StackOptions, signal: AbortSignal, opening: AsyncDisposableStack): Promise<Run> {
  const dir = resolve(options.dir);
  const cacheDir = options.cacheDir ?? defaultCacheDir();
  const logDir = join(dir, 'logs');
  await mkdir(logDir, { recursive: true, mode: 0o700 });
  await mkdir(cacheDir, { recursive: true, mode: 0o700 });
  const held = tryLock(join(dir, 'stack.lock'));
  if (!held) {
    const message = `Another process runs the sandbox in ${dir}; nothing was started.`;
    throw new OpsError('held', message, { hint: 'It may be in another terminal: Ctrl-C there ends it.' });
  }
  opening.use(held);
  const state = await readState(dir);
  const ports = opening.use(await claimPorts(state.ports));
  const run = new Run(dir, { cacheDir, logDir, log: options.log, signal }, ports, state, new StatusBoard());
  await run.remember();
  return run;
}

function synapseOf(run: Run, data: Data): Synapse {
  return {
    url: data.url,
    metricsUrl: `http://127.0.0.1:${run.ports.map.synapseMetrics}/_synapse/metrics`,
    serverName,
    registrationSharedSecret: data.state.secrets.registration,
    adminUser: `@${adminLocalpart}:${serverName}`,
    adminToken: data.state.adminToken,
    dir: join(run.dir, 'synapse'),
    logFile: run.logFile('synapse'),
    get pid() {
      return data.synapse.pid;
    },
    start: () => data.synapse.start(),
    stop: () => data.synapse.stop(),
  };
}

function addressesOf({ ports: { map }, state }: Run): Addresses {
  const at = (port: number): string => `http://127.0.0.1:${port}`;
  const { key: apiKey, secret: apiSecret } = state.livekit;
  return {
    livekit: { url: at(map.livekit), metricsUrl: `${at(map.livekitMetrics)}/metrics`, apiKey, apiSecret },
    prometheusUrl: at(map.prometheus),
    alertmanagerUrl: at(map.alertmanager),
    bot: `127.0.0.1:${map.bot}`,
  };
}
