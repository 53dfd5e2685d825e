import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { answers, launch, type Part } from './guard.ts';
import type { PortMap } from './ports.ts';
import { writePrivate, type LivekitSecrets } from './state.ts';

export type Livekit = {
  readonly url: string;
  readonly apiKey: string;
  readonly apiSecret: string;
  readonly metricsUrl: string;
  readonly configFile: string;
  readonly logFile: string;
  readonly pid: number;
  stop(): Promise<void>;
  start(): Promise<void>;
};

export type LivekitSetup = {
  program: string;
  dir: string;
  logFile: string;
  ports: PortMap;
  secrets: LivekitSecrets;
  signal: AbortSignal;
};

/** One UDP port for all media: a range would have to be found free as a whole. */
function livekitYaml(ports: PortMap, secrets: LivekitSecrets): string {
  return stringify({
    port: ports.livekit,
    bind_addresses: ['127.0.0.1'],
    prometheus: { port: ports.livekitMetrics },
    keys: { [secrets.key]: secrets.secret },
    logging: { level: 'info' },
    rtc: {
      tcp_port: ports.livekitTcp,
      udp_port: ports.livekitUdp,
      node_ip: '127.0.0.1',
      use_external_ip: false,
      enable_loopback_candidate: true,
      interfaces: { includes: ['lo'] },
    },
    room: { auto_create: true, empty_timeout: 300 },
  });
}

export async function startLivekit(setup: LivekitSetup): Promise<Livekit> {
  const { ports, secrets, logFile } = setup;
  const configFile = join(setup.dir, 'livekit.yaml');
  const url = `http://127.0.0.1:${ports.livekit}`;
  await mkdir(setup.dir, { recursive: true, mode: 0o700 });
  await writePrivate(configFile, livekitYaml(ports, secrets));
  let part: Part | undefined;
  const start = async () => {
    if (part?.running) return;
    const spec = { name: 'LiveKit', command: setup.program, args: ['--config', configFile], logFile };
    part = await launch(spec, () => answers(url), { deadlineMs: 20_000, signal: setup.signal });
  };
  // The first SIGTERM waits for every participant to leave, the second doesn't.
  const stop = async () =>
    part?.stop([
      ['SIGTERM', 50],
      ['SIGTERM', 1500],
      ['SIGKILL', 2000],
    ]);
  await start();
  return {
    url,
    apiKey: secrets.key,
    apiSecret: secrets.secret,
    metricsUrl: `http://127.0.0.1:${ports.livekitMetrics}/metrics`,
    configFile,
    logFile,
    get pid() {
      return part?.pid ?? 0;
    },
    start,
    stop,
  };
}
