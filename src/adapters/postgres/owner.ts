import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { sha256Hex } from '#domain/canonical.ts';

/**
 * A name's ending that says which process made it: pid, when that process started (pids come again), and the host. So it
 * can be told later whether its maker still lives; in the name because a file inside could be missing after a crash.
 */
export const ownerMark = (): string => `${process.pid}-${startedTicks(process.pid)}-${hostMark()}`;

const markPattern = /\.(\d+)-(\d+)-([0-9a-f]{8})$/;

/** `elsewhere`: made on another host (or in another container), where this one can't look. */
export function ownerOf(name: string): 'this' | 'alive' | 'dead' | 'elsewhere' | 'nobody' {
  const match = markPattern.exec(name);
  if (!match) return 'nobody';
  if (match[0] === `.${ownerMark()}`) return 'this';
  if (match[3] !== hostMark()) return 'elsewhere';
  const pid = Number(match[1]);
  if (!isAlive(pid)) return 'dead';
  return String(startedTicks(pid)) === match[2] ? 'alive' : 'dead';
}

const hostMark = (): string => sha256Hex(hostname()).slice(0, 8);

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** Clock ticks from boot to the start of the process (proc(5), field 22); 0 where there is no /proc. */
function startedTicks(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? 0);
  } catch {
    return 0;
  }
}
