import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';

/** How to start one of the two bots. */
export type BotSpec = {
  name: string;
  /** The room it listens in, and its account there. */
  room: string;
  user: string;
  args: readonly string[];
  env: Record<string, string>;
  logFile: string;
};

export interface RunningBot extends AsyncDisposable {
  readonly pid: number;
  /** `performance.now()` just before the process was made. */
  readonly spawnedAt: number;
  residentMb(): number;
}

const graceMs = 15_000;

/** Starts a bot in a process of its own, with the Node that runs this; it can't outlive the bench. */
export function startBot(spec: BotSpec): RunningBot {
  const log = openSync(spec.logFile, 'a', 0o600);
  const spawnedAt = performance.now();
  const child = spawn('setpriv', ['--pdeathsig=SIGKILL', process.execPath, ...spec.args], {
    env: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', LANG: 'C.UTF-8', ...spec.env },
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  const { pid } = child;
  if (pid === undefined) throw new Error(`${spec.name} can not be started.`);
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
  });
  return {
    pid,
    spawnedAt,
    residentMb() {
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      const kb = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
      if (kb === undefined) throw new Error(`${spec.name} has ended; its log: ${spec.logFile}`);
      return Number(kb) / 1024;
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
      await exited;
      clearTimeout(timer);
    },
  };
}
