import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { OpsError } from '#domain/errors.ts';
import { answers, launch, type Part } from './guard.ts';
import { exists } from './install/cache.ts';
import { sharedFolder } from './install/monitoring.ts';
import type { PortMap } from './ports.ts';
import { writePrivate } from './state.ts';

export type Prometheus = {
  readonly url: string;
  /** Rewrite it, then `reload()`. */
  readonly rulesFile: string;
  readonly logFile: string;
  readonly pid: number;
  reload(): Promise<void>;
  stop(): Promise<void>;
  start(): Promise<void>;
};

export type MonitoringSetup = { program: string; dir: string; logFile: string; ports: PortMap; signal: AbortSignal };

/** Targets are files that Prometheus watches, because a part may come up later or on another port. */
function prometheusYaml(dir: string, rulesFile: string): string {
  const files = (name: string) => [{ files: [join(dir, 'targets', `${name}.json`)] }];
  return stringify({
    global: { scrape_interval: '2s', evaluation_interval: '2s' },
    rule_files: [rulesFile],
    alerting: { alertmanagers: [{ file_sd_configs: files('alertmanager') }] },
    scrape_configs: [
      { job_name: 'synapse', metrics_path: '/_synapse/metrics', file_sd_configs: files('synapse') },
      { job_name: 'livekit', file_sd_configs: files('livekit') },
    ],
  });
}

/** Says where the parts are now. */
export async function writeTargets(dir: string, ports: PortMap): Promise<void> {
  await mkdir(join(dir, 'targets'), { recursive: true, mode: 0o700 });
  const named = { synapse: ports.synapseMetrics, livekit: ports.livekitMetrics, alertmanager: ports.alertmanager };
  for (const [name, port] of Object.entries(named)) {
    await writePrivate(join(dir, 'targets', `${name}.json`), JSON.stringify([{ targets: [`127.0.0.1:${port}`] }]));
  }
}

export async function startPrometheus(setup: MonitoringSetup): Promise<Prometheus> {
  const { dir, logFile, ports, signal } = setup;
  const rulesFile = join(dir, 'rules.yml');
  const configFile = join(dir, 'prometheus.yml');
  const url = `http://127.0.0.1:${ports.prometheus}`;
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await writeTargets(dir, ports);
  await writeFile(configFile, prometheusYaml(dir, rulesFile));
  if (!(await exists(rulesFile))) await writeFile(rulesFile, stringify({ groups: [] }));
  const cwd = await sharedFolder(setup.program);
  let part: Part | undefined;
  const start = async () => {
    if (part?.running) return;
    part = await launch(
      {
        name: 'Prometheus',
        command: setup.program,
        args: [
          `--config.file=${configFile}`,
          `--storage.tsdb.path=${join(dir, 'data')}`,
          '--storage.tsdb.retention.time=2d',
          `--web.listen-address=127.0.0.1:${ports.prometheus}`,
          `--web.external-url=${url}/`,
          '--web.enable-lifecycle',
          // An alert that fires in Prometheus' first seconds, before it knows Alertmanager, is otherwise late by a minute.
          '--rules.alert.resend-delay=5s',
          '--log.level=warn',
        ],
        logFile,
        cwd,
      },
      () => answers(`${url}/-/ready`),
      { deadlineMs: 30_000, signal },
    );
  };
  await start();
  return {
    url,
    rulesFile,
    logFile,
    get pid() {
      return part?.pid ?? 0;
    },
    reload: () => reload('Prometheus', url, logFile),
    start,
    stop: async () =>
      part?.stop([
        ['SIGTERM', 3000],
        ['SIGKILL', 2000],
      ]),
  };
}

/** Prometheus and Alertmanager answer only after the new configuration is in force, or say why it isn't. */
export async function reload(name: string, url: string, logFile: string): Promise<void> {
  const reply = await fetch(`${url}/-/reload`, { method: 'POST', signal: AbortSignal.timeout(10_000) });
  const text = await reply.text();
  if (reply.ok) return;
  throw new OpsError('invalid', `${name} did not take its new configuration: ${text.trim()} Its log is ${logFile}.`);
}
