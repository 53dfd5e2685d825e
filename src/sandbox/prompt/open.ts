import { asOpsError } from '#domain/errors.ts';
import { Player } from './player.ts';
import { Screen } from './screen.ts';
import { type Script, readScript } from './script.ts';
import { type PromptPerson, Session } from './session.ts';
import { type Input, type Output, Terminal } from './terminal.ts';
import { helpText, type PartAct, parseTyped } from './typed.ts';

export type PromptOptions = {
  homeserverUrl: string;
  room: string;
  people: readonly PromptPerson[];
  /** Name of who types first. */
  me: string;
  botUser: string;
  input: Input;
  output: Output;
  /** Path of a script, or one that was read already: then nothing is read from `input`. */
  script?: string | Script | undefined;
  operate?: ((act: PartAct, part: string) => Promise<void>) | undefined;
  /** Shown first. */
  welcome: string;
  /** Ends the prompt. */
  signal: AbortSignal;
  /** Is handed a function that shows a line above what is being typed: "LiveKit is ready". */
  notices?: ((say: (text: string) => void) => void) | undefined;
};

const historyEvents = 30;

/** 0: ended by the person, or the script went as it says; 1: it didn't, or the room can't be reached; 2: wrong script. */
export async function runPrompt(options: PromptOptions): Promise<number> {
  const { output, people } = options;
  let script: Script | undefined;
  try {
    const names = people.map((person) => person.name);
    script = typeof options.script === 'string' ? await readScript(options.script, names) : options.script;
  } catch (error) {
    output.write(`${told(error)}\n`);
    return 2;
  }
  try {
    return await inRoom(options, script);
  } catch (error) {
    output.write(`${told(error)}\n`);
    return 1;
  }
}

function told(error: unknown): string {
  const { message, hint } = asOpsError(error);
  return hint === undefined ? message : `${message} ${hint}`;
}

async function inRoom(options: PromptOptions, script: Script | undefined): Promise<number> {
  using terminal = new Terminal(script === undefined ? options.input : undefined, options.output);
  await using session = new Session(options);
  const screen = new Screen(
    () => session.view(),
    terminal.size,
    (id) => session.timeline.messages.get(id),
  );
  terminal.onResize((size) => screen.resized(size));
  const note = (text: string): void => terminal.write(screen.note(text));
  await session.begin(
    { onChange: (change, past) => terminal.write(screen.show(change, past)), onNote: note },
    script === undefined ? historyEvents : 0,
  );
  note(options.welcome);
  options.notices?.(note);
  if (script === undefined) return await typing(session, terminal, note, options.signal);
  const { ok, report } = await new Player(script, session, options.signal).play();
  options.output.write(`${report}\n`);
  return ok ? 0 : 1;
}

async function typing(
  session: Session,
  terminal: Terminal,
  note: (text: string) => void,
  signal: AbortSignal,
): Promise<number> {
  const { promise: over, resolve } = Promise.withResolvers<void>();
  let ended = false;
  const end = (): void => {
    ended = true;
    resolve();
  };
  const ask = (): void => terminal.ask(`${session.who}> `);
  const act = async (line: string): Promise<void> => {
    const typed = parseTyped(line, session.peopleNames);
    if (typed.kind === 'wrong') note(typed.why);
    else if (typed.kind === 'help') note(helpText);
    else if (typed.kind === 'who') note(session.describePeople());
    else if (typed.kind === 'quit') end();
    else if (typed.kind === 'say') await session.say(typed.text);
    else if (typed.kind === 'thread') await session.thread(typed.text);
    else if (typed.kind === 'react') await session.react(typed.emoji, typed.on);
    else if (typed.kind === 'part') {
      await session.operate(typed.act, typed.part);
      note(`· ${typed.part}: ${typed.act === 'ready' ? 'ready' : typed.act === 'stop' ? 'stopped' : 'started'}.`);
    } else if (typed.kind === 'as') {
      await session.as(typed.name);
      note(`· You type as ${typed.name} now.`);
      ask();
    }
  };
  // One after the other, so that the room hears them in the order they were typed.
  let queue = Promise.resolve();
  const onLine = (line: string): void => {
    queue = queue
      .then(() => (ended ? undefined : act(line)))
      .catch((error: unknown) => (ended ? undefined : note(told(error))));
  };
  const onEnd = (how: 'interrupt' | 'end'): void => {
    if (how === 'interrupt' || terminal.isTerminal) end();
    else note('· There is nothing more to read; the room goes on until this is stopped.');
  };
  if (signal.aborted) end();
  else signal.addEventListener('abort', () => end(), { once: true });
  terminal.listen(onLine, onEnd);
  ask();
  await over;
  return 0;
}
