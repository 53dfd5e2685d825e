import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, statSync } from 'node:fs';
import { OpsError } from '#domain/errors.ts';
import { pause, stopIfAsked } from './lock.ts';

export type PartSpec = {
  name: string;
  command: string;
  args: readonly string[];
  logFile: string;
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  /** Further arguments of setpriv: another user, for what refuses to run as root. */
  runAs?: readonly string[];
  /** What the kernel sends the part when this process ends, however it ends. */
  onParentDeath?: NodeJS.Signals;
};

/** A running process of the sandbox. */
export interface Part {
  readonly name: string;
  readonly pid: number;
  readonly running: boolean;
  readonly exited: Promise<void>;
  /** What it wrote to its log since it was started. */
  output(): string;
  /** Sends the signals one after the other, each with its time to work, until the process is gone. */
  stop(signals: readonly (readonly [NodeJS.Signals, graceMs: number])[]): Promise<void>;
}

/**
 * Starts a part that can't outlive this process: setpriv asks the kernel for a signal at the parent's death and becomes
 * the program itself, so the pid is the program's. The signal follows the *thread* that spawned: Node's main thread.
 */
function startPart(spec: PartSpec): Part {
  const log = openSync(spec.logFile, 'a', 0o600);
  const logStart = statSync(spec.logFile).size;
  const guard = [`--pdeathsig=${spec.onParentDeath ?? 'SIGKILL'}`, ...(spec.runAs ?? [])];
  const child = spawn('setpriv', [...guard, spec.command, ...spec.args], {
    cwd: spec.cwd ?? '/',
    env: spec.env ?? plainEnvironment(),
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  let running = child.pid !== undefined;
  const exited = new Promise<void>((resolve) => {
    const end = () => {
      running = false;
      resolve();
    };
    child.once('exit', end).once('error', end);
  });
  if (child.pid === undefined) {
    throw new OpsError('unavailable', `${spec.name} can not be started: there is no setpriv on the PATH.`, {
      hint: 'apt-get install util-linux',
    });
  }
  return {
    name: spec.name,
    pid: child.pid,
    exited,
    get running() {
      return running;
    },
    output: () => readFileSync(spec.logFile).subarray(logStart).toString('utf8'),
    async stop(signals) {
      for (const [signal, graceMs] of signals) {
        if (!running) return;
        child.kill(signal);
        const timer = new AbortController();
        await Promise.race([exited, pause(graceMs, timer.signal).catch(() => undefined)]);
        timer.abort();
      }
    },
  };
}

/** Without proxies, tokens and whatever else the caller's environment holds. */
function plainEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'], HOME: process.env['HOME'], LANG: 'C.UTF-8' };
}

export type ReadyOptions = { deadlineMs: number; everyMs?: number; signal: AbortSignal };

/** Starts a part and waits until it is ready; a part that fails, hangs or is cancelled is gone when this rejects. */
export async function launch(
  spec: PartSpec,
  ready: (part: Part) => Promise<boolean>,
  options: ReadyOptions,
): Promise<Part> {
  stopIfAsked(options.signal);
  const part = startPart(spec);
  try {
    await untilReady(part, spec.logFile, ready, options);
    return part;
  } catch (error) {
    await part.stop([
      [spec.onParentDeath ?? 'SIGKILL', 3000],
      ['SIGKILL', 2000],
    ]);
    throw error;
  }
}

async function untilReady(
  part: Part,
  logFile: string,
  ready: (part: Part) => Promise<boolean>,
  options: ReadyOptions,
): Promise<void> {
  const end = performance.now() + options.deadlineMs;
  for (;;) {
    if (!part.running) {
      const kind = /address (already )?in use/i.test(part.output()) ? 'conflict' : 'unavailable';
      throw new OpsError(kind, `${part.name} ended while it was starting: ${lastLine(part.output())} Log: ${logFile}`);
    }
    if (await ready(part).catch(() => false)) return;
    if (performance.now() > end) {
      throw new OpsError(
        'unavailable',
        `${part.name} was not ready after ${options.deadlineMs / 1000} s. Log: ${logFile}`,
      );
    }
    await pause(options.everyMs ?? 40, options.signal);
  }
}

function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1)?.slice(0, 300) ?? '';
}

/** True when a GET is answered 200; what the ready markers of the HTTP parts are made of. */
export async function answers(url: string): Promise<boolean> {
  const reply = await fetch(url, { signal: AbortSignal.timeout(2000), redirect: 'manual' });
  await reply.body?.cancel();
  return reply.status === 200;
}
