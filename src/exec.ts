import type { Readable, Writable } from 'node:stream';
import { converse, type Door, knock } from '#adapters/shell/call.ts';
import { socketIn } from '#adapters/shell/listen.ts';
import type { Call } from '#adapters/shell/wire.ts';
import { SystemClock } from '#adapters/system/clock.ts';
import { OpsError } from '#domain/errors.ts';
import type { Log } from '#domain/log.ts';
import type { Scrubber } from '#domain/scrubber.ts';
import { openApp } from './app.ts';
import { execUsage, type ExecFlags, readExecFlags } from './exec-flags.ts';
import { ShellTerminal } from './exec-terminal.ts';
import { becomeOwnerOf } from './exec-offline.ts';
import { doorDirectories } from './exec-place.ts';
import { loadSettings, settingsFile, sudoUser } from './settings.ts';

export type ExecStreams = { input: Readable; output: Writable; log: Log; stop: AbortSignal; scrubber: Scrubber };

/** A bot that starts, or another call that holds the memory, has opened its door by then. */
const doorWithinMs = 10_000;
const lookEveryMs = 200;

/**
 * One command from the shell, to its end: through the door of the bot that runs, else with the bot's memory opened here
 * without Matrix. Gives the exit code: 0 it was done, 1 it wasn't.
 */
export async function exec(how: 'exec' | 'approve', argv: readonly string[], streams: ExecStreams): Promise<number> {
  const flags = readExecFlags(how, argv);
  if (flags.help) {
    streams.output.write(execUsage);
    return 0;
  }
  const file = settingsFile(flags.settings);
  if (file === undefined && flags.door === undefined) {
    throw new OpsError('invalid', `${how} needs --settings FILE (or OPSROOM_SETTINGS).`, { hint: execUsage });
  }
  using terminal = new ShellTerminal(streams);
  const door = flags.door === undefined ? await findDoor(file!) : await knock(flags.door);
  if (door !== undefined) return await talk(door, flags, sudoUser(), terminal);
  if (file === undefined) throw new OpsError('unavailable', `No bot listens on ${flags.door}. Nothing was done.`);
  return await withoutBot(file, flags, streams, terminal);
}

/** The bot's own door, else the one for other Unix users. */
async function findDoor(file: string): Promise<Door | undefined> {
  const { own, shared } = doorDirectories(file);
  if (shared === undefined) return knock(socketIn(own));
  try {
    return (await knock(socketIn(own))) ?? (await knock(socketIn(shared)));
  } catch (error) {
    if (!(error instanceof OpsError) || error.kind !== 'denied') throw error;
    const door = await knock(socketIn(shared));
    if (door === undefined) throw error;
    return door;
  }
}

async function talk(
  door: Door,
  { text, breakGlass }: ExecFlags,
  behalf: number | undefined,
  terminal: ShellTerminal,
): Promise<number> {
  const call: Call = {
    text,
    ...(breakGlass === undefined ? {} : { breakGlass }),
    ...(behalf === undefined ? {} : { behalf }),
  };
  return (await converse(door, call, terminal)) ? 0 : 1;
}

async function withoutBot(
  file: string,
  flags: ExecFlags,
  { log, stop, scrubber }: ExecStreams,
  terminal: ShellTerminal,
): Promise<number> {
  const settings = loadSettings({ file, scrubber });
  const caller = process.getuid?.();
  const dropped = await becomeOwnerOf(settings.dataDir);
  const behalf = sudoUser() ?? (dropped ? caller : undefined);
  try {
    await using _app = await openApp(settings, { log, stop, scrubber, offline: true });
    terminal.say('The bot is not running: this is done without Matrix, and the room hears of it when it runs again.');
    const door = await knock(socketIn(settings.dataDir));
    if (door === undefined) throw new OpsError('internal', 'The door that was opened a moment ago is shut.');
    return await talk(door, flags, behalf, terminal);
  } catch (error) {
    if (!(error instanceof OpsError) || error.kind !== 'held') throw error;
    const door = await doorOfOther(file, stop);
    if (door === undefined) throw error;
    return talk(door, flags, behalf, terminal);
  }
}

/** Who holds the memory is about to open its door, or has none. */
async function doorOfOther(file: string, stop: AbortSignal): Promise<Door | undefined> {
  const clock = new SystemClock();
  for (const endMs = clock.monotonicMs() + doorWithinMs; clock.monotonicMs() < endMs;) {
    const door = await findDoor(file);
    if (door !== undefined) return door;
    await clock.sleep(lookEveryMs, stop);
  }
  return undefined;
}
