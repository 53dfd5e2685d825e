import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { asOpsError, OpsError } from '#domain/errors.ts';
import { type BotFiles, writeBotSettings } from './bot-settings.ts';
import { startCall } from './call.ts';
import { tryLock } from './lock.ts';
import { runPrompt } from './prompt/open.ts';
import { readScript } from './prompt/script.ts';
import { people } from './seed/people.ts';
import { sandboxRules } from './rules.ts';
import { type Seeded, seed } from './seed.ts';
import { openStack, type Stack } from './stack.ts';

export interface Sandbox extends AsyncDisposable {
  readonly settingsFile: string;
  /** The bot's own log goes into a file: the terminal is the room. */
  readonly botLog: (line: string) => void;
  /** The room in the terminal, until it is left; gives the exit code. */
  prompt(bot: { user: string; opsRoom: string }): Promise<number>;
}

/** The whole stack on this machine, a place that looks lived in, and a prompt in its ops room. */
export async function openSandbox(options: {
  fresh: boolean;
  script: string | undefined;
  stop: AbortSignal;
}): Promise<Sandbox> {
  // A script that can't be played is refused before anything starts.
  const script =
    options.script === undefined
      ? undefined
      : await readScript(
          options.script,
          people.map((person) => person.localpart),
        );
  await using opening = new AsyncDisposableStack();
  // A script meets the same place each time, and leaves nothing behind.
  const dir = options.script === undefined ? resolve('.data/sandbox') : await mkdtemp(join(tmpdir(), 'opsroom-'));
  if (options.script !== undefined) opening.defer(() => rm(dir, { recursive: true, force: true }));
  await mkdir(dir, { recursive: true, mode: 0o700 });
  if (options.fresh) await forget(dir);
  // Told in the prompt once it is there, before that on stderr.
  let notice = (line: string): void => void process.stderr.write(`${line}\n`);
  const log = (line: string): void => notice(line);
  const stack = opening.use(await openStack({ dir, log, signal: options.stop, seeded: true }));
  const seeded = await seed(stack, log);
  const files = await writeBotSettings(stack, seeded);
  const botLog = createWriteStream(join(dir, 'logs', 'bot.log'), { flags: 'a' });
  opening.defer(() => void botLog.end());
  opening.use(follow(stack, seeded, files, log));
  const opened = opening.move();
  return {
    settingsFile: files.settingsFile,
    botLog: (line) => void botLog.write(line),
    prompt: (bot) =>
      runPrompt({
        homeserverUrl: stack.synapse.url,
        room: bot.opsRoom,
        people: Object.values(seeded.people).map(({ localpart, userId, token }) => ({
          name: localpart,
          user: userId,
          token,
        })),
        me: 'alice',
        botUser: bot.user,
        operate: (act, part) => operate(stack, act, part),
        input: process.stdin,
        output: process.stdout,
        script,
        welcome: welcome(stack, seeded),
        signal: options.stop,
        notices: (say) => {
          notice = say;
        },
      }),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** Removes an earlier run, unless one is running there: its files are not taken from under its feet. */
async function forget(dir: string): Promise<void> {
  using held = tryLock(join(dir, 'stack.lock'));
  if (!held) {
    throw new OpsError('held', `Another process runs the sandbox in ${dir}; nothing was forgotten.`, {
      hint: 'Stop that one first.',
    });
  }
  for (const name of await readdir(dir)) {
    if (!name.startsWith('stack.lock')) await rm(join(dir, name), { recursive: true, force: true });
  }
}

/** What waits for parts that come later: alerts find the bot, a call of three runs. */
function follow(stack: Stack, seeded: Seeded, files: BotFiles, log: (line: string) => void): AsyncDisposable {
  const call = stack.livekit.then((livekit) => startCall(livekit, seeded.call.roomId, seeded.call.identities));
  const hook = stack.alertmanager.then((alertmanager) =>
    alertmanager.setWebhook(files.webhookUrl, files.webhookSecret),
  );
  const rules = stack.prometheus.then((prometheus) => sandboxRules(prometheus));
  for (const [what, work] of [
    ['the call', call],
    ['alerts', hook],
    ['alert rules', rules],
  ] as const) {
    work.catch((error: unknown) => log(`${what}: ${asOpsError(error).message}`));
  }
  return {
    async [Symbol.asyncDispose]() {
      await Promise.race([call, Promise.resolve(undefined)]).then(
        (running) => running?.[Symbol.asyncDispose](),
        () => undefined,
      );
    },
  };
}

/** What the prompt may do to the parts. */
async function operate(stack: Stack, act: 'stop' | 'start' | 'ready', name: string): Promise<void> {
  const part = name === 'livekit' ? await stack.livekit : name === 'postgres' ? stack.postgres : stack.synapse;
  if (act !== 'ready') await part[act]();
}

function welcome(stack: Stack, seeded: Seeded): string {
  const alice = seeded.people['alice'];
  return [
    'You are alice, an owner, in the ops room of a real homeserver on this machine.',
    'Try: !help, !health, !disable mallory posting spam, then ✅. /help explains the prompt, Ctrl-C ends it all.',
    `With an ordinary client: homeserver ${stack.synapse.url}, user ${alice?.userId ?? ''}, password ${alice?.password ?? ''}`,
  ].join('\n');
}
