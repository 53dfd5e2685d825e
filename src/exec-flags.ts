import { parseArgs } from 'node:util';
import { OpsError } from '#domain/errors.ts';

export const execUsage = `npm start -- exec --settings opsroom.yaml '!backup now'
npm start -- approve --settings opsroom.yaml 7f3a

One command from the shell of the bot's machine, for when Matrix can't be used: the same roles, questions and audit as
in the room, where it is posted too. It speaks to the bot that runs; without one it opens the bot's memory itself.
Who you are: the person whose \`shell\` under \`people\` in the settings is your Unix user (with sudo: who called it).

  --settings FILE          the bot's settings (or OPSROOM_SETTINGS)
  --break-glass REASON     does without the second person; every owner is called, and the reason is written down
  --door PATH              the bot's socket, when the settings can't be read: shell.directory/door.sock

Exit code: 0 done, 1 not done, 2 wrong usage or settings, 75 another process holds the bot's memory.
`;

export type ExecFlags = {
  settings: string | undefined;
  door: string | undefined;
  breakGlass: string | undefined;
  text: string;
  help: boolean;
};

/** Flags stand before the command; what follows them is the command, as one word or several. Throws `invalid`. */
export function readExecFlags(how: 'exec' | 'approve', argv: readonly string[]): ExecFlags {
  const known = ['--settings', '--break-glass', '--door'];
  let end = 0;
  while (argv[end]?.startsWith('--')) end += known.includes(argv[end] ?? '') ? 2 : 1;
  const { values } = parsed(argv.slice(0, end));
  const words = argv.slice(end).join(' ').trim();
  const wrong = (message: string): OpsError =>
    new OpsError('invalid', message, { hint: `npm start -- ${how} --help shows how.` });
  const help = values.help ?? false;
  if (!help && words === '') throw wrong(how === 'exec' ? 'exec needs a command.' : 'approve needs a code.');
  if (how === 'approve' && !help && !/^[0-9a-f]+$/i.test(words)) throw wrong(`"${words}" is no code such as 7f3a.`);
  const late = argv.slice(end).find((word) => known.some((flag) => word === flag || word.startsWith(`${flag}=`)));
  if (late !== undefined)
    throw wrong(
      `${late.split('=', 1).join('')} goes before the ${how === 'exec' ? 'command' : 'code'}. Nothing was done.`,
    );
  const breakGlass = values['break-glass']?.trim();
  if (breakGlass === '' || (breakGlass !== undefined && how === 'approve'))
    throw wrong('--break-glass wants a reason, and goes with exec.');
  return {
    settings: values.settings,
    door: values.door,
    breakGlass,
    text: how === 'approve' ? `approve ${words}` : words,
    help,
  };
}

function parsed(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        settings: { type: 'string' },
        door: { type: 'string' },
        'break-glass': { type: 'string' },
        help: { type: 'boolean' },
      },
    });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.split('. ')[0] : 'wrong flags';
    throw new OpsError('invalid', `${why}.`, { hint: execUsage, cause });
  }
}
