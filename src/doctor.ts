import type { Writable } from 'node:stream';
import { parseArgs } from 'node:util';
import type { Clock } from '#domain/clock.ts';
import { OpsError } from '#domain/errors.ts';
import { Scrubber } from '#domain/scrubber.ts';
import { openSynapse } from '#adapters/synapse/open.ts';
import { SystemClock } from '#adapters/system/clock.ts';
import { databaseLooks } from './doctor/databases.ts';
import { examine, type Finding, type Look, type Mark } from './doctor/finding.ts';
import { homeserverLooks, knownOf } from './doctor/homeserver.ts';
import { machineLooks } from './doctor/machine.ts';
import { outsideLooks } from './doctor/outside.ts';
import { roomLooks } from './doctor/room.ts';
import { loadSettings, type Settings, settingsFile } from './settings.ts';

const usage = `npm start -- doctor --settings opsroom.yaml

Reads the settings, reaches every part that they name, and says what is wrong and what mends it. It changes nothing.
✔ well   ⚠ works, but   ✘ wrong   – off or not known.   Exit code 0: nothing is wrong, 1: something is, 2: the settings are.
`;

const signs: Record<Mark, string> = { well: '✔', warning: '⚠', wrong: '✘', off: '–', unknown: '–' };
const columnWidth = 16;

/** Gives the exit code; throws `invalid` when the settings can't be read. */
export async function doctor(
  argv: readonly string[],
  output: Writable,
  { clock = new SystemClock(), scrubber = new Scrubber() }: { clock?: Clock; scrubber?: Scrubber } = {},
): Promise<number> {
  const { file, help } = readFlags(argv);
  if (help) {
    output.write(usage);
    return 0;
  }
  if (file === undefined) {
    throw new OpsError('invalid', 'doctor needs --settings FILE (or OPSROOM_SETTINGS).', {
      hint: 'npm start -- init makes such a file.',
    });
  }
  const settings = loadSettings({ file, scrubber });
  await using stack = new AsyncDisposableStack();
  const looks = await openLooks(settings, clock, stack);
  const marks: Mark[] = [];
  // All at once; told in their order.
  const findings = looks.map((look) => examine(look, clock));
  for (const [at, finding] of findings.entries()) {
    const found = await finding;
    marks.push(found.mark);
    output.write(`${scrubber.text(lineOf(looks[at]?.part ?? '', found))}\n`);
  }
  output.write(`\n${summary(marks)}\n`);
  return marks.includes('wrong') ? 1 : 0;
}

function readFlags(argv: readonly string[]): { file: string | undefined; help: boolean } {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: { settings: { type: 'string' }, help: { type: 'boolean', default: false } },
    });
    return { file: settingsFile(values.settings), help: values.help };
  } catch (cause) {
    throw new OpsError('invalid', 'doctor takes --settings FILE and --help.', { cause });
  }
}

async function openLooks(settings: Settings, clock: Clock, stack: AsyncDisposableStack): Promise<Look[]> {
  const synapse = stack.use(
    await openSynapse({ url: settings.synapse.url, adminToken: settings.synapse.adminToken.reveal(), clock }),
  );
  const known = knownOf(synapse);
  const databases = databaseLooks(settings);
  return [
    ...homeserverLooks(settings, synapse, known),
    ...roomLooks(settings, synapse, known),
    ...outsideLooks(settings, clock),
    ...databases.looks,
    ...machineLooks(settings, databases.server, clock),
  ];
}

function lineOf(part: string, { mark, text, mend }: Finding): string {
  const arrow = mend === undefined ? '' : ` → ${mend}`;
  return `${signs[mark]} ${part.padEnd(columnWidth)} ${`${text}${arrow}`.replaceAll(/\s*\n\s*/g, ' ')}`;
}

function summary(marks: readonly Mark[]): string {
  const count = (mark: Mark): number => marks.filter((one) => one === mark).length;
  const [bad, warnings, left] = [count('wrong'), count('warning'), count('off')];
  const rest = [warnings > 0 && `${warnings} to look at`, left > 0 && `${left} off`].filter((text) => text !== false);
  const others = rest.length === 0 ? '' : ` (${rest.join(', ')})`;
  return bad === 0 ? `All that is set up works${others}.` : `${bad} wrong${others}.`;
}
