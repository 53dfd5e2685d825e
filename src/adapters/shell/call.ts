import { lstat, stat } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { basename, dirname } from 'node:path';
import { OpsError } from '#domain/errors.ts';
import { Lines } from './lines.ts';
import { proofsBeside, prove } from './proof.ts';
import { type Call, call as callShape, hello, told } from './wire.ts';

/** Whoever sits at the terminal, as the caller's program serves them. */
export interface Terminal {
  say(text: string): void;
  /** Undefined: nobody is there to answer. */
  confirm(): Promise<boolean | undefined>;
  waiting(prompt: { code: string; role: string; expiresAt: number }): void;
}

export type Door = { socket: Socket; path: string };

/** The bot's door, found; undefined when nobody listens there. Throws `denied` when this Unix user may not go in. */
export async function knock(path: string): Promise<Door | undefined> {
  const found = await lstat(path).catch((error: NodeJS.ErrnoException) => error.code ?? 'EIO');
  if (found === 'EACCES') throw notAllowed(path);
  if (typeof found === 'string' || !found.isSocket()) return undefined;
  if (((await stat(dirname(path))).mode & 0o022) !== 0) {
    throw new OpsError('denied', `Others may write in ${dirname(path)}: whoever listens there may not be the bot.`, {
      hint: `Type: chmod go-w ${dirname(path)}`,
    });
  }
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('connect', () => resolve({ socket, path }));
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EACCES' || error.code === 'EPERM') reject(notAllowed(path));
      else resolve(undefined);
    });
  });
}

const notAllowed = (path: string): OpsError =>
  new OpsError('denied', `This Unix user may not go through ${path}.`, {
    hint: 'Use sudo (the bot sees who you are by it), or set shell.directory in the settings for other Unix users.',
  });

/** One call to its end; true when what was asked for was done. Throws when the bot hangs up or speaks otherwise. */
export async function converse({ socket, path }: Door, call: Call, terminal: Terminal): Promise<boolean> {
  const lines = new Lines(socket);
  try {
    requireShort(call);
    const first = await lines.next();
    const refusal = told.safeParse(first);
    if (refusal.success && refusal.data.kind === 'end')
      throw new OpsError('unavailable', refusal.data.text ?? 'The bot does not listen now. Nothing was done.');
    const greeting = hello.safeParse(first);
    if (!greeting.success) throw noGreeting();
    const { challenge } = greeting.data;
    // Root must not make a directory wherever somebody else's program asks for one.
    if (dirname(challenge) !== proofsBeside(path) || !/^[0-9a-f]{32}$/.test(basename(challenge))) throw noGreeting();
    await prove(challenge).catch((cause: unknown) => {
      throw new OpsError('denied', 'This Unix user cannot prove to the bot who it is.', { cause });
    });
    lines.put(call);
    for (;;) {
      const next = told.safeParse(await lines.next());
      if (!next.success) throw hungUp('ended the conversation');
      const { data } = next;
      if (data.kind === 'said') terminal.say(data.text);
      else if (data.kind === 'waiting') terminal.waiting(data);
      else if (data.kind === 'question') void answer(lines, data.code, terminal);
      else {
        if (data.text !== undefined) terminal.say(data.text);
        return data.well;
      }
    }
  } finally {
    socket.destroy();
  }
}

async function answer(lines: Lines, code: string, terminal: Terminal): Promise<void> {
  const yes = await terminal.confirm();
  if (yes !== undefined) lines.put({ code, yes });
}

/** The door would hang up on more than it takes, and nobody could tell why. */
function requireShort(call: Call): void {
  const [issue] = callShape.safeParse(call).error?.issues ?? [];
  if (issue?.code !== 'too_big') return;
  const what = issue.path[0] === 'breakGlass' ? 'The reason' : 'The command';
  throw new OpsError('invalid', `${what} is longer than ${issue.maximum} characters. Nothing was done.`, {
    hint: 'Say it in several commands.',
  });
}

/** Nothing was asked for yet. */
const noGreeting = (): OpsError =>
  new OpsError('unavailable', 'What listens there did not answer as this version of the bot does. Nothing was done.');

const hungUp = (what: string): OpsError =>
  new OpsError('unavailable', `The bot ${what}. What was asked for may go on.`, {
    effect: 'unknown',
    hint: 'Ask it: npm start -- exec runs',
  });
