import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { answers, launch, type Part } from './guard.ts';
import { sharedFolder } from './install/monitoring.ts';
import { reload, type MonitoringSetup } from './prometheus.ts';
import { writePrivate } from './state.ts';

export type Alertmanager = {
  readonly url: string;
  readonly logFile: string;
  readonly pid: number;
  /** Where alerts go from now on, with `Authorization: Bearer` and the secret. */
  setWebhook(url: string, bearerSecret: string): Promise<void>;
  stop(): Promise<void>;
  start(): Promise<void>;
};

function alertmanagerYaml(webhook?: { url: string; secretFile: string }): string {
  const receiver = webhook && {
    webhook_configs: [
      {
        url: webhook.url,
        send_resolved: true,
        http_config: { authorization: { type: 'Bearer', credentials_file: webhook.secretFile } },
      },
    ],
  };
  return stringify({
    route: {
      receiver: 'opsroom',
      group_by: ['alertname'],
      group_wait: '1s',
      group_interval: '5s',
      repeat_interval: '1h',
    },
    receivers: [{ name: 'opsroom', ...receiver }],
  });
}

export async function startAlertmanager(setup: MonitoringSetup): Promise<Alertmanager> {
  const { dir, logFile, ports, signal } = setup;
  const configFile = join(dir, 'alertmanager.yml');
  const secretFile = join(dir, 'webhook-secret');
  const url = `http://127.0.0.1:${ports.alertmanager}`;
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await writePrivate(configFile, alertmanagerYaml());
  const cwd = await sharedFolder(setup.program);
  let part: Part | undefined;
  const start = async () => {
    if (part?.running) return;
    part = await launch(
      {
        name: 'Alertmanager',
        command: setup.program,
        args: [
          `--config.file=${configFile}`,
          `--storage.path=${join(dir, 'data')}`,
          `--web.listen-address=127.0.0.1:${ports.alertmanager}`,
          `--web.external-url=${url}/`,
          // Empty: a single instance opens no gossip port.
          '--cluster.listen-address=',
          '--log.level=warn',
        ],
        logFile,
        cwd,
      },
      () => answers(`${url}/-/ready`),
      { deadlineMs: 20_000, signal },
    );
  };
  await start();
  return {
    url,
    logFile,
    get pid() {
      return part?.pid ?? 0;
    },
    async setWebhook(webhookUrl, bearerSecret) {
      await writePrivate(secretFile, bearerSecret);
      await writePrivate(configFile, alertmanagerYaml({ url: webhookUrl, secretFile }));
      await reload('Alertmanager', url, logFile);
    },
    start,
    stop: async () =>
      part?.stop([
        ['SIGTERM', 3000],
        ['SIGKILL', 2000],
      ]),
  };
}
