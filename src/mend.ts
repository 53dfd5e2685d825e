import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { parseArgs } from 'node:util';
import type { Clock } from '#domain/clock.ts';
import { asOpsError, OpsError } from '#domain/errors.ts';
import { Scrubber } from '#domain/scrubber.ts';
import { SystemClock } from '#adapters/system/clock.ts';
import { Terminal } from './init/terminal.ts';
import { accountCheck, adminTokenCheck, botTokenCheck, homeserverCheck, rateLimitCheck } from './mend/credentials.ts';
import type { Check } from './mend/fault.ts';
import { SecretPlaces } from './mend/places.ts';
import { record } from './mend/record.ts';
import { memberCheck, powerCheck, proveRoundTrip } from './mend/room.ts';
import { MendWorld } from './mend/world.ts';
import { loadSettings, settingsFile, sudoUser } from './settings.ts';

const usage = `npm start -- mend --settings opsroom.yaml [--dry-run] [--yes]

For a bot that is locked out: dead token, locked, suspended or closed account, kicked, banned, no power, a dead admin
token. It looks first, asks before each thing it does, and proves at the end that the bot can speak again.

  --dry-run   only shows what it would do
  --yes       does not ask

It works with what the settings hold: synapse.adminToken, matrix.password, synapse.registrationSharedSecret. What a person
has to do is said at the end. Exit code: 0 the bot can speak, 1 it can't, 2 wrong usage or settings.
`;

/** One act may uncover the next fault of the same part: closed, then locked, then suspended. */
const mostRounds = 5;

export type MendStreams = { output: Writable; input: Readable; stop: AbortSignal; scrubber?: Scrubber; clock?: Clock };
type Flags = { file: string; dryRun: boolean; yes: boolean };

/** Finds what keeps the bot from its room and mends it, part by part. Gives the exit code. */
export async function mend(argv: readonly string[], streams: MendStreams): Promise<number> {
  const { input, output, stop, scrubber = new Scrubber(), clock = new SystemClock() } = streams;
  const flags = readFlags(argv);
  if (flags === 'help') {
    output.write(usage);
    return 0;
  }
  const settings = loadSettings({ file: flags.file, scrubber });
  const places = new SecretPlaces(flags.file, join(settings.dataDir, 'handover'));
  const world = new MendWorld({ settings, clock, places, scrubber, stop });
  const say = (line: string): void => void output.write(`${scrubber.text(line)}\n`);
  using terminal = new Terminal(input, output, stop);
  const mender = new Mender({ ...flags, say, ask: (question) => terminal.yes(question) });
  const checks = [
    homeserverCheck,
    adminTokenCheck,
    accountCheck,
    botTokenCheck,
    memberCheck,
    powerCheck,
    rateLimitCheck,
  ];
  for (const check of checks) await mender.see(check(world));
  const well = flags.dryRun ? mender.wellAsItIs : await speaks(world, say);
  if (flags.dryRun) say(well ? 'Nothing to mend.' : 'Dry run: nothing was done.');
  const steps = [...mender.steps, ...places.steps];
  const caller = sudoUser() ?? process.getuid?.() ?? -1;
  const unwritten = await record(settings, { done: mender.done, at: clock.now(), caller });
  if (unwritten !== undefined) steps.push(unwritten);
  if (world.renewed && well) steps.push('Start the bot again: a bot that runs still holds the token from before.');
  if (steps.length > 0) say('\nWhat is left for you:');
  let number = 0;
  for (const step of steps) say(step.startsWith('  ') ? step : `${(number += 1)}. ${step}`);
  return well ? 0 : 1;
}

function readFlags(argv: readonly string[]): Flags | 'help' {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        settings: { type: 'string' },
        'dry-run': { type: 'boolean', default: false },
        yes: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    if (values.help) return 'help';
    const file = settingsFile(values.settings);
    if (file !== undefined) return { file, dryRun: values['dry-run'], yes: values.yes };
  } catch (cause) {
    throw new OpsError('invalid', 'mend takes --settings FILE, --dry-run, --yes and --help.', { hint: usage, cause });
  }
  throw new OpsError('invalid', 'mend needs --settings FILE (or OPSROOM_SETTINGS).', { hint: usage });
}

async function speaks(world: MendWorld, say: (line: string) => void): Promise<boolean> {
  try {
    await proveRoundTrip(world);
    say('✔ The bot can speak in its room: it said something that no client shows, and read it back.');
    return true;
  } catch (error) {
    say(`✘ The bot cannot speak in its room yet: ${asOpsError(error).message}`);
    return false;
  }
}

class Mender {
  readonly steps: string[] = [];
  readonly done: string[] = [];
  wellAsItIs = true;
  readonly #dryRun: boolean;
  readonly #yes: boolean;
  readonly #say: (line: string) => void;
  readonly #ask: (question: string) => Promise<boolean>;
  #blockedBy: string | undefined;

  constructor(options: {
    dryRun: boolean;
    yes: boolean;
    say: (line: string) => void;
    ask: (question: string) => Promise<boolean>;
  }) {
    this.#dryRun = options.dryRun;
    this.#yes = options.yes;
    this.#say = options.say;
    this.#ask = options.ask;
  }

  /** Looks, and mends as long as something can be done about what it finds. Never throws. */
  async see({ part, look, blocks }: Check): Promise<void> {
    if (this.#blockedBy !== undefined) return this.#say(`– ${part}: not looked at, the ${this.#blockedBy} comes first`);
    try {
      for (let round = 0; round < mostRounds; round += 1) {
        const fault = await look();
        if (fault === undefined) return this.#say(`✔ ${part}`);
        this.wellAsItIs = false;
        this.#say(`✘ ${part}: ${fault.what}`);
        if (fault.act !== undefined) this.#say(`  → ${this.#dryRun ? 'would ' : ''}${fault.act.title}`);
        if (fault.act !== undefined && this.#dryRun) return;
        if (fault.act === undefined || !(await this.#mayDo())) {
          this.steps.push(...fault.person);
          break;
        }
        const done = await fault.act.run();
        if (typeof done === 'string') this.done.push(done);
        this.#say(`    ${typeof done === 'string' ? done : done.nothing}`);
      }
      this.#blockedBy = blocks === true ? part : undefined;
    } catch (error) {
      const { kind, message, hint } = asOpsError(error);
      this.wellAsItIs = false;
      this.#blockedBy = blocks === true ? part : undefined;
      this.#say(`${kind === 'cancelled' ? '–' : '✘'} ${part}: ${message}`);
      if (hint !== undefined) this.steps.push(hint);
    }
  }

  async #mayDo(): Promise<boolean> {
    return this.#yes || this.#ask('  Do it?');
  }
}
