import { createInterface, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { OpsError } from '#domain/errors.ts';
import { answerKinds, type AnswerName, type Answers } from './flags.ts';

/** Questions on a terminal, for what the flags leave out. Secrets are never typed: only the paths of their files are. */
export class Terminal implements Disposable {
  readonly #lines: Interface;
  readonly #output: Writable;
  /** What was typed or pasted ahead. */
  readonly #typed: string[] = [];
  #waiting: PromiseWithResolvers<void> | undefined;
  #ended = false;

  constructor(input: Readable, output: Writable, stop: AbortSignal) {
    this.#output = output;
    this.#lines = createInterface({ input, output, terminal: 'isTTY' in output && output.isTTY === true });
    this.#lines.on('line', (line) => {
      this.#typed.push(line);
      this.#waiting?.resolve();
    });
    // Ctrl-C and Ctrl-D.
    const end = (): void => {
      this.#ended = true;
      this.#waiting?.resolve();
    };
    this.#lines.once('SIGINT', end).once('close', end);
    stop.addEventListener('abort', end, { once: true });
  }

  async #line(question: string): Promise<string> {
    this.#lines.setPrompt(question);
    if (!this.#ended) this.#lines.prompt();
    while (this.#typed.length === 0 && !this.#ended) {
      this.#waiting = Promise.withResolvers();
      await this.#waiting.promise;
    }
    const line = this.#typed.shift();
    if (line === undefined) throw new OpsError('cancelled', 'Stopped. Nothing was made.');
    return line.trim();
  }

  /** Asks until the answer is one; an empty answer is `initial`. */
  async ask<K extends AnswerName>(name: K, question: string, initial = ''): Promise<NonNullable<Answers[K]>> {
    for (;;) {
      const typed = (await this.#line(`${question}${initial === '' ? '' : ` [${initial}]`}: `)) || initial;
      const parsed = answerKinds[name].safeParse(typed);
      if (parsed.success) return parsed.data as NonNullable<Answers[K]>;
      this.say(`  It ${parsed.error.issues[0]?.message ?? 'is wrong'}.`);
    }
  }

  /** As `ask`, but nothing is an answer too. */
  async askIfAny<K extends AnswerName>(name: K, question: string): Promise<Answers[K] | undefined> {
    for (;;) {
      const typed = await this.#line(`${question}: `);
      if (typed === '') return undefined;
      const parsed = answerKinds[name].safeParse(typed);
      if (parsed.success) return parsed.data as Answers[K];
      this.say(`  It ${parsed.error.issues[0]?.message ?? 'is wrong'}.`);
    }
  }

  say(line: string): void {
    this.#output.write(`${line}\n`);
  }

  async yes(question: string): Promise<boolean> {
    for (;;) {
      const typed = (await this.#line(`${question} [Y/n]: `)).toLowerCase();
      if (['', 'y', 'yes'].includes(typed)) return true;
      if (['n', 'no'].includes(typed)) return false;
    }
  }

  [Symbol.dispose](): void {
    this.#lines.close();
  }
}

/** Fills what the flags left open. Parts that the flags don't mention are asked for only with the rest. */
export async function askForRest(
  terminal: Terminal,
  answers: Answers,
  check: (url: string) => Promise<void>,
): Promise<void> {
  const before = { ...answers };
  while (answers.homeserver === undefined) {
    const url = await terminal.ask('homeserver', "Synapse's own address", 'http://127.0.0.1:8008');
    if (url !== undefined && (await reaches(terminal, url, check))) answers.homeserver = url;
  }
  if (before['shared-secret-file'] === undefined && before['admin-token-file'] === undefined) {
    const secret =
      'File with the registration_shared_secret (homeserver.yaml itself will do; empty: use an admin token)';
    answers['shared-secret-file'] = await terminal.askIfAny('shared-secret-file', secret);
    if (answers['shared-secret-file'] === undefined) {
      answers['admin-token-file'] = await terminal.ask('admin-token-file', "File with a server admin's access token");
    }
  }
  answers.owner ??= await terminal.ask('owner', 'Your own Matrix id: you will be the owner');
  answers['ops-room'] ??= await terminal.ask('ops-room', 'The room to work in', '#ops');
  if (before.owner !== undefined) return;
  await askForParts(terminal, answers);
}

async function reaches(terminal: Terminal, url: string, check: (url: string) => Promise<void>): Promise<boolean> {
  try {
    await check(url);
    return true;
  } catch (error) {
    if (!(error instanceof OpsError) || error.kind === 'cancelled') throw error;
    terminal.say(`  ${error.message}`);
    return false;
  }
}

async function askForParts(terminal: Terminal, answers: Answers): Promise<void> {
  if (answers['livekit-url'] === undefined) {
    answers['livekit-url'] = await terminal.askIfAny(
      'livekit-url',
      "LiveKit's address, such as http://127.0.0.1:7880 (empty: no calls)",
    );
    if (answers['livekit-url'] !== undefined) {
      answers['livekit-key'] = await terminal.ask('livekit-key', 'Name of its key in livekit.yaml');
      answers['livekit-secret-file'] = await terminal.ask('livekit-secret-file', "File with that key's secret");
    }
  }
  if (answers['postgres-host'] !== undefined) return;
  answers['postgres-host'] = await terminal.askIfAny(
    'postgres-host',
    "Host of Synapse's PostgreSQL, such as 127.0.0.1 (empty: no backups)",
  );
  if (answers['postgres-host'] === undefined) return;
  answers['postgres-port'] = await terminal.ask('postgres-port', 'Port', '5432');
  answers['postgres-database'] = await terminal.ask('postgres-database', 'Database', 'synapse');
  answers['postgres-user'] = await terminal.ask('postgres-user', 'Role', 'synapse');
  answers['postgres-password-file'] = await terminal.askIfAny(
    'postgres-password-file',
    'File with its password (empty: none is needed)',
  );
  answers.backups = await terminal.askIfAny('backups', 'Directory for backups (empty: none)');
}
