import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Log } from '#domain/log.ts';

const run = promisify(execFile);
const childMs = 5000;

/**
 * Tells systemd that the bot is ready, stops, and is not stuck: a bot that stands still is killed and started anew
 * (sd_notify(3), `Type=notify` and `WatchdogSec=` of systemd.service(5)). By systemd-notify, since Node knows no datagram
 * sockets of Unix; hence `NotifyAccess=all`. Nothing without the variables that systemd sets.
 */
export class Systemd implements Disposable {
  readonly #env: NodeJS.ProcessEnv;
  readonly #log: Log;
  #beat: NodeJS.Timeout | undefined;
  #failed = false;

  constructor(env: NodeJS.ProcessEnv, log: Log) {
    this.#env = env;
    this.#log = log;
  }

  /** From then on it has to hear of the bot within `WatchdogSec`; it does three times as often. */
  ready(): Promise<void> {
    const { WATCHDOG_USEC: limitUs, WATCHDOG_PID: pid } = this.#env;
    const isMine = pid === undefined || Number(pid) === process.pid;
    if (isMine && Number(limitUs) > 0)
      this.#beat ??= setInterval(() => void this.#tell('WATCHDOG=1'), Number(limitUs) / 1000 / 3).unref();
    return this.#tell('READY=1');
  }

  stopping(): Promise<void> {
    return this.#tell('STOPPING=1');
  }

  async #tell(what: string): Promise<void> {
    const { NOTIFY_SOCKET: socket, PATH: path } = this.#env;
    if (socket === undefined) return;
    try {
      await run('systemd-notify', [what], { env: { NOTIFY_SOCKET: socket, PATH: path }, timeout: childMs });
      this.#failed = false;
    } catch (error) {
      // Three times within each limit: one line is enough.
      const why = error instanceof Error ? error.message : String(error);
      if (!this.#failed) this.#log.error({ what, why }, 'systemd could not be told');
      this.#failed = true;
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#beat);
  }
}
