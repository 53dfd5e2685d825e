import { type ChildProcess, spawn } from 'node:child_process';
import { getPriority, setPriority } from 'node:os';
import type { Readable, Writable } from 'node:stream';

/** Nothing of the bot's own environment: secrets may live there. */
export const childEnv = (): { PATH: string; LC_ALL: string } => ({
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/homebrew/bin',
  LC_ALL: 'C',
});

const stderrKeptChars = 1500;
/** A third of the bot's share when both want the processor, and all of it when the bot doesn't. */
const politer = 5;

/** A child that ended badly, with the end of what it said. */
export class ChildFailed extends Error {
  readonly said: string;
  constructor(name: string, how: string, said: string) {
    super(said === '' ? `${name} ${how}` : `${name} ${how}: ${said}`);
    this.name = 'ChildFailed';
    this.said = said;
  }
}

export type Child = {
  stdin: Writable | null;
  stdout: Readable | null;
  /** Resolves when it ended with 0 and its pipes are closed; rejects with `ChildFailed`. */
  done: Promise<void>;
  /** Ends it at once and waits until it is gone. */
  kill(): Promise<void>;
};

/**
 * Starts a program without a shell, at a lower priority than the bot. It dies with the bot too: its pipe breaks. SIGKILL
 * is safe for both programs that run here: pg_dump only reads, pg_restore writes to a database that is thrown away.
 */
export function startChild(
  name: string,
  [file, ...args]: readonly [string, ...string[]],
  options: { env: Record<string, string>; pipe: 'stdin' | 'stdout'; secrets: string[] },
): Child {
  const child: ChildProcess = spawn(file, args, {
    env: { ...childEnv(), ...options.env },
    stdio: options.pipe === 'stdin' ? ['pipe', 'ignore', 'pipe'] : ['ignore', 'pipe', 'pipe'],
    shell: false,
  });
  if (child.pid !== undefined) lowerPriority(child.pid);
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-stderrKeptChars);
  });
  const done = new Promise<void>((resolve, reject) => {
    child.on('error', (error) => reject(new ChildFailed(name, `could not be started (${error.message})`, '')));
    child.on('close', (code, signal) => {
      if (code === 0) return resolve();
      reject(
        new ChildFailed(
          name,
          code === null ? `was ended by ${signal}` : `ended with code ${code}`,
          mask(said, options.secrets),
        ),
      );
    });
  });
  // Whoever waits for `done` sees the failure; until someone does, it must not end the process.
  done.catch(() => undefined);
  return {
    stdin: child.stdin,
    stdout: child.stdout,
    done,
    async kill() {
      child.kill('SIGKILL');
      await done.catch(() => undefined);
    },
  };
}

function lowerPriority(pid: number): void {
  try {
    setPriority(pid, Math.min(19, getPriority() + politer));
  } catch {
    // It may be gone already, or priorities may not be ours to change: neither hinders the backup.
  }
}

function mask(text: string, secrets: string[]): string {
  return secrets
    .filter((secret) => secret.length > 0)
    .reduce((masked, secret) => masked.replaceAll(secret, '***'), text)
    .trim();
}
