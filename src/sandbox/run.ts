import { join } from 'node:path';
import { OpsError } from '#domain/errors.ts';
import type { InstallContext } from './install/cache.ts';
import type { PortName, Ports } from './ports.ts';
import { writeTargets } from './prometheus.ts';
import { writeState, type StackState } from './state.ts';
import type { PartName, StatusBoard } from './status.ts';

/** One opened run directory: what its parts share while they start. */
export class Run {
  readonly dir: string;
  readonly context: InstallContext;
  readonly ports: Ports;
  readonly state: StackState;
  readonly board: StatusBoard;

  constructor(dir: string, context: InstallContext, ports: Ports, state: StackState, board: StatusBoard) {
    this.dir = dir;
    this.context = context;
    this.ports = ports;
    this.state = state;
    this.board = board;
  }

  logFile(part: PartName): string {
    return join(this.context.logDir, `${part}.log`);
  }

  async remember(): Promise<void> {
    this.state.ports = { base: this.ports.base, map: this.ports.map };
    await writeState(this.dir, this.state);
    await writeTargets(join(this.dir, 'prometheus'), this.ports.map);
  }

  /** Starts a part and says how long it took; with a stranger on one of its ports the part gets other ones. */
  async start<T>(part: PartName, ports: readonly PortName[], start: () => Promise<T>): Promise<T> {
    this.board.set(part, 'starting');
    const began = performance.now();
    for (let attempt = 1; ; attempt += 1) {
      try {
        const started = await start();
        this.board.set(part, 'ready');
        this.context.log(`${part} ready (${((performance.now() - began) / 1000).toFixed(1)} s)`);
        return started;
      } catch (error) {
        if (!(error instanceof OpsError) || error.kind !== 'conflict' || attempt === 3) throw error;
        await this.ports.renew(ports);
        await this.remember();
      }
    }
  }

  /** Notes that a part isn't there, with the command that mends it; says nothing when all is being stopped. */
  fail(part: PartName, error: unknown): void {
    if (this.context.signal.aborted) return;
    const text = error instanceof Error ? error.message : String(error);
    const hint = error instanceof OpsError && error.hint ? ` Mend it with: ${error.hint}` : '';
    const installing = this.board.get(part) === 'installing';
    this.board.set(part, installing ? 'missing' : 'failed', text + hint);
    this.context.log(`${part}: ${text}${hint}`);
  }
}
