import { resolve } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import type { Clock } from '#domain/clock.ts';
import { asOpsError, OpsError } from '#domain/errors.ts';
import { SystemClock } from '#adapters/system/clock.ts';
import { type Flags, readFlags, usage } from './init/flags.ts';
import { Homeserver, meetSynapse } from './init/homeserver.ts';
import { type Complete, makeAll } from './init/make-all.ts';
import { askForRest, Terminal } from './init/terminal.ts';

export type InitStreams = { output: Writable; input: Readable; stop?: AbortSignal; clock?: Clock };

/**
 * From a running Synapse to a working opsroom.yaml. Each step looks first and can be done again, so a run that was cut
 * off is simply repeated. Gives the exit code; throws an `OpsError` that says what exists by then.
 */
export async function init(argv: readonly string[], streams: InitStreams): Promise<number> {
  const { output, input, stop = new AbortController().signal, clock = new SystemClock() } = streams;
  const flags = readFlags(argv);
  if (flags.help) {
    output.write(usage);
    return 0;
  }
  const made: string[] = [];
  const say = (line: string): void => void output.write(`${line}\n`);
  try {
    const answers = await completeAnswers(flags, { output, input, stop, clock });
    await makeAll(answers, flags.force, { say, stop, clock, made });
    return 0;
  } catch (error) {
    if (!stop.aborted) throw withState(asOpsError(error), made);
    // Whoever stopped it knows that; what they don't know is where it was.
    say(`Stopped. ${stateOf(made)}`);
    return 1;
  }
}

const stateOf = (made: readonly string[]): string =>
  made.length === 0
    ? 'Nothing that exists was changed; running this again is safe.'
    : `There is by now: ${made.join('; ')}. Running the same command again is safe: it goes on from there.`;

function withState(error: OpsError, made: readonly string[]): OpsError {
  if (made.length === 0) return error;
  const { kind, message, hint, effect, cause } = error;
  return new OpsError(kind, message, {
    effect,
    cause,
    hint: `${hint === undefined ? '' : `${hint}\n`}${stateOf(made)}`,
  });
}

/** Flags first, then questions on a terminal; without one, everything has to be in the flags. */
async function completeAnswers(flags: Flags, streams: Required<InitStreams>): Promise<Complete> {
  const { answers } = flags;
  const { output, input, stop, clock } = streams;
  const missing: string[] = (['homeserver', 'owner', 'ops-room'] as const).filter(
    (name) => answers[name] === undefined,
  );
  if (answers['shared-secret-file'] === undefined && answers['admin-token-file'] === undefined) {
    missing.push('shared-secret-file (or --admin-token-file)');
  }
  const isTerminal = 'isTTY' in input && input.isTTY === true;
  if (!isTerminal && missing.length > 0) {
    const list = missing.map((name) => `--${name}`).join(', ');
    throw new OpsError('invalid', `There is no terminal to ask on, so these are needed: ${list}. Nothing was made.`, {
      hint: 'npm start -- init --help shows all flags.',
    });
  }
  if (!isTerminal || (flags.yes && missing.length === 0)) return answers as Complete;
  using terminal = new Terminal(input, output, stop);
  if (missing.length > 0) {
    await askForRest(terminal, answers, async (url) => void (await meetSynapse(new Homeserver(url, clock, stop))));
  }
  answers.encrypted ??= 'yes';
  const { bot = 'opsroom', admin = 'opsroom-admin', out = 'opsroom.yaml' } = answers;
  terminal.say(
    `\nAt ${answers.homeserver}: the accounts @${bot} and @${admin} (a server admin), the room ${answers['ops-room']}`,
  );
  const how = answers.encrypted === 'yes' ? 'encrypted, ' : '';
  terminal.say(`${how}with ${answers.owner} as its owner; here the file ${resolve(out)}, and its secrets beside it.`);
  if (flags.yes || (await terminal.yes('Go on?'))) return answers as Complete;
  throw new OpsError('cancelled', 'Nothing was made.');
}
