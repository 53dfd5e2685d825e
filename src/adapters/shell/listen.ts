import { chmod, lstat, mkdir, rm, stat } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { asOpsError, OpsError } from '#domain/errors.ts';
import type { Log } from '#domain/log.ts';
import { Lines } from './lines.ts';
import { forgetProofs, namesOf, newChallenge, proofsBeside, whoProved } from './proof.ts';
import { answer, call as callShape, type Call, type Told } from './wire.ts';

/** What the kernel holds of a socket's path (`sun_path`), with its end. */
const longestPath = 107;
const mostCallers = 16;
const busy = `The bot serves ${mostCallers} calls at once, and as many are open. Nothing was done.`;
/** A caller that says nothing has this long, as long as no other one comes. */
const greetingMs = 10_000;

/** `proved`: the Unix user at the other end. `behalf`: for whom they say it is, which only root and the bot's own user may. */
export type Caller = { proved: number; behalf: number | undefined; names: string[] };
export type Conversation = {
  tell(told: Told): void;
  /** What the caller said to the question of that code. */
  answerTo(code: string): Promise<boolean | undefined>;
  /** Aborted when the caller hangs up. */
  signal: AbortSignal;
};
/** Serves one caller to its end. What it throws is told, and the conversation over. */
export type Serve = (caller: Caller, call: Call, conversation: Conversation) => Promise<boolean>;

/** `shared`: open to every Unix user of the machine, who then prove who they are; else to the bot's own and root. */
export type DoorPlace = { directory: string; shared: boolean };

export const socketIn = (directory: string): string => join(directory, 'door.sock');

/** Throws `misconfigured` when the place is not safe or somebody else listens there. */
export async function openDoor(place: DoorPlace, serve: Serve, log: Log): Promise<AsyncDisposable> {
  const { directory, shared } = place;
  const path = socketIn(directory);
  const proofs = proofsBeside(path);
  if (Buffer.byteLength(path) > longestPath) {
    throw new OpsError('misconfigured', `${path} is too long for a socket: ${longestPath} bytes at most.`, {
      hint: 'Choose a shorter dataDir.',
    });
  }
  await mkdir(directory, { recursive: true, mode: shared ? 0o755 : 0o700 });
  await requireSafe(directory);
  await clearAway(path);
  await mkdir(proofs, { recursive: true, mode: 0o700 });
  // Anybody may put something in there, nobody but the bot sees what is there or takes it away.
  await chmod(proofs, shared ? 0o1733 : 0o700);
  await forgetProofs(proofs);
  const callers = new Set<Socket>();
  /** Those who have not said yet what they want, the oldest first. */
  const silent = new Set<Socket>();
  const server = createServer((socket) => {
    if (callers.size >= mostCallers) {
      const [oldest] = silent;
      if (oldest === undefined) return new Lines(socket).end({ kind: 'end', well: false, text: busy });
      leave(oldest);
      oldest.destroy();
    }
    callers.add(socket);
    silent.add(socket);
    socket.once('close', () => leave(socket));
    return void receive(socket, proofs, serve, () => silent.delete(socket)).catch((error: unknown) =>
      log.warn({ why: asOpsError(error).message }, 'a call from the shell ended early'),
    );
  });
  const leave = (socket: Socket): void => {
    callers.delete(socket);
    silent.delete(socket);
  };
  await listening(server, path);
  await chmod(path, shared ? 0o666 : 0o600);
  return {
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        // Takes the socket's file away too.
        server.close(() => resolve());
        for (const socket of callers) socket.destroy();
      }),
  };
}

/** Where others may write they could put a door of their own in its place. */
async function requireSafe(directory: string): Promise<void> {
  const { mode, uid } = await stat(directory);
  const own = process.getuid?.();
  if ((mode & 0o022) === 0 && (uid === own || uid === 0)) return;
  throw new OpsError('misconfigured', `Others may write in ${directory}, so the shell's door is not opened there.`, {
    hint: `Type: chmod go-w ${directory}`,
  });
}

/** A socket that nobody listens on is left over from a process that was killed. */
async function clearAway(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isSocket()) {
    throw new OpsError('misconfigured', `${path} is in the way of the shell's door and not a socket.`, {
      hint: 'Move it away.',
    });
  }
  if (await isListened(path)) {
    throw new OpsError('misconfigured', `Another program listens on ${path}.`, {
      hint: 'Stop it, or give each bot a directory of its own.',
    });
  }
  await rm(path);
}

const isListened = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });

const listening = (server: Server, path: string): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const why = cause.code ?? 'it failed';
      reject(
        new OpsError('misconfigured', `The shell's door cannot be opened in ${dirname(path)}: ${why}.`, { cause }),
      );
    });
    server.listen(path, resolve);
  });

async function receive(socket: Socket, proofs: string, serve: Serve, spoke: () => void): Promise<void> {
  const lines = new Lines(socket);
  const gone = new AbortController();
  socket.once('close', () => gone.abort(new OpsError('cancelled', 'The caller hung up.')));
  const late = setTimeout(() => socket.destroy(), greetingMs);
  const challenge = newChallenge(proofs);
  lines.put({ v: 1, challenge });
  const first = callShape.safeParse(await lines.next());
  clearTimeout(late);
  spoke();
  const proved = await whoProved(challenge);
  if (!first.success) return lines.end();
  const end = (told: Omit<Told & { kind: 'end' }, 'kind'>): void => {
    lines.end({ kind: 'end', ...told });
  };
  if (proved === undefined) return end({ well: false, text: 'The door could not tell which Unix user this is.' });
  const mayVouch = proved === 0 || proved === process.getuid?.();
  if (first.data.behalf !== undefined && !mayVouch) {
    return end({ well: false, text: 'Only root and the bot’s own Unix user may act for another.' });
  }
  const behalf = first.data.behalf;
  const caller: Caller = { proved, behalf, names: await namesOf(behalf ?? proved) };
  const answers = new Answers(lines);
  try {
    const well = await serve(caller, first.data, {
      tell: (told) => lines.put(told),
      answerTo: (code) => answers.to(code),
      signal: gone.signal,
    });
    end({ well });
  } catch (error) {
    const { message, hint } = asOpsError(error);
    end({ well: false, text: hint === undefined ? message : `${message}\n${hint}` });
  }
}

/** Reads on as soon as the first question is asked. */
class Answers {
  readonly #lines: Lines;
  readonly #waiting = new Map<string, (yes: boolean | undefined) => void>();
  #reads = false;

  constructor(lines: Lines) {
    this.#lines = lines;
  }

  to(code: string): Promise<boolean | undefined> {
    return new Promise((resolve) => {
      this.#waiting.set(code, resolve);
      if (!this.#reads) void this.#read();
      this.#reads = true;
    });
  }

  async #read(): Promise<void> {
    for (;;) {
      const value = await this.#lines.next().catch(() => undefined);
      const parsed = answer.safeParse(value);
      if (parsed.success) this.#waiting.get(parsed.data.code)?.(parsed.data.yes);
      else if (value === undefined) break;
    }
    for (const resolve of this.#waiting.values()) resolve(undefined);
  }
}
