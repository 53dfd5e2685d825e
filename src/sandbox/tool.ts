import { spawn } from 'node:child_process';
import { accessSync, constants, createWriteStream } from 'node:fs';
import { delimiter, join } from 'node:path';
import { OpsError } from '#domain/errors.ts';

/** Full path of a program on the PATH, or undefined. */
export function which(program: string): string | undefined {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    if (folder === '') continue;
    const path = join(folder, program);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      continue;
    }
  }
  return undefined;
}

export type ToolOptions = {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  /** Written to the child's stdin: the way for SQL and secrets, which never stand in argv. */
  input?: string;
  logFile?: string;
  /** Lower priority for long builds, so that what people wait for goes first. */
  nice?: boolean;
  /** Off for programs that must not be cut off half-way. */
  dieWithParent?: boolean;
  signal?: AbortSignal | undefined;
};

/** Runs a program to its end and returns its standard output; a failure is an `OpsError` with the last line it wrote. */
export async function runTool(command: string, args: readonly string[], options: ToolOptions = {}): Promise<string> {
  const niced = options.nice ? ['nice', '-n', '10', command, ...args] : [command, ...args];
  const guarded = (options.dieWithParent ?? true) ? ['setpriv', '--pdeathsig=SIGKILL', ...niced] : niced;
  const child = spawn(guarded[0]!, guarded.slice(1), {
    cwd: options.cwd ?? '/',
    env: options.env ?? process.env,
    stdio: ['pipe', 'pipe', 'pipe'],
    signal: options.signal,
    killSignal: 'SIGKILL',
  });
  const log = options.logFile ? createWriteStream(options.logFile, { flags: 'a', mode: 0o600 }) : undefined;
  let out = '';
  let tail = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
    log?.write(text);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    tail = (tail + text).slice(-2000);
    log?.write(text);
  });
  // A child that ends early breaks the pipe; its exit code tells more than EPIPE.
  child.stdin.on('error', () => undefined).end(options.input ?? '');
  const code = await new Promise<number | string>((resolve, reject) => {
    child.on('error', reject).on('close', (exit, killedBy) => resolve(exit ?? killedBy ?? 'unknown'));
  }).catch((error: unknown) => {
    if (options.signal?.aborted) throw new OpsError('cancelled', `${command} was stopped.`, { effect: 'unknown' });
    throw new OpsError('unavailable', `${command} could not be run.`, { cause: error });
  });
  log?.end();
  if (code === 0) return out;
  const last = (tail.trim() || out.trim()).split('\n').at(-1) ?? '';
  const where = options.logFile ? ` Its output is in ${options.logFile}.` : '';
  throw new OpsError('unavailable', `${command} ${args[0] ?? ''} failed (${code}): ${last}.${where}`, {
    effect: 'unknown',
    cause: tail,
  });
}
