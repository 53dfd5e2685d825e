import { parseArgs } from 'node:util';
import { z } from 'zod';
import { parseUserId } from '#domain/accounts.ts';
import { OpsError } from '#domain/errors.ts';
import { httpUrl, listenAddress, timeZone, wholeNumber } from '#domain/setting.ts';

export const usage = `npm start -- init makes the bot's account, an admin account for its work, the ops room and opsroom.yaml.
What is not given is asked for on a terminal. Running it again is safe: it finds what is there.

  --homeserver URL           Synapse's own address, such as http://127.0.0.1:8008
  --shared-secret-file FILE  registration_shared_secret, alone or as homeserver.yaml; or
  --admin-token-file FILE    access token of a server admin, used for this only and not stored
  --owner @alice:example.org who may do everything; is invited into the room
  --ops-room '#ops'          made when it is not there; or a room into which you have invited the bot
  --encrypted yes|no         is the new room encrypted? yes on a terminal, no without one
  --out opsroom.yaml         secrets go into secrets/ beside it

  --server-name NAME         refuse to go on when the homeserver is another one
  --bot NAME, --admin NAME   other names than opsroom and opsroom-admin
  --metrics-url URL          of Synapse; may be given several times; else the usual places are tried
  --livekit-url URL --livekit-key NAME --livekit-secret-file FILE [--livekit-metrics-url URL]
  --postgres-host HOST [--postgres-port N --postgres-database NAME --postgres-user NAME] [--postgres-password-file FILE]
  --backups DIR              where backups of that database go
  --listen HOST:PORT         health, metrics and webhooks (127.0.0.1:9099), or off
  --timezone ZONE
  --force                    write an existing opsroom.yaml anew; the old one is kept as .bak
  --yes                      do not ask before anything is made
`;

const text = (what: string) => z.string().min(1, `must be ${what}`);
const name = (what: string) =>
  z.string().regex(/^[a-z0-9._=/+-]{1,200}$/, `must be ${what} of lower-case letters and digits`);
const ownerShape = 'must be a Matrix user id such as @alice:example.org';

/** What each answer must look like, from a flag or from the terminal. */
export const answerKinds = {
  homeserver: httpUrl(),
  'server-name': text('the name of the homeserver'),
  'shared-secret-file': text('a path'),
  'admin-token-file': text('a path'),
  owner: z.string().transform((value, context) => {
    const written = value.startsWith('@') ? value : `@${value}`;
    // Its server may be left out: it is the homeserver's own.
    const probe = written.includes(':') ? written : `${written}:example.org`;
    if (value !== '' && isUserId(probe)) return written;
    context.addIssue({ code: 'custom', message: ownerShape });
    return z.NEVER;
  }),
  'ops-room': z.string().regex(/^(#[^\s:]+(:\S+)?|!\S+)$/, 'must be an alias such as #ops, or a room id'),
  out: text('a path'),
  encrypted: z.enum(['yes', 'no'], { error: 'must be yes or no' }),
  bot: name('a name'),
  admin: name('a name'),
  'metrics-url': z.array(httpUrl()),
  'livekit-url': httpUrl(),
  'livekit-key': text('the name of a key in livekit.yaml'),
  'livekit-secret-file': text('a path'),
  'livekit-metrics-url': httpUrl(),
  'postgres-host': text('a host name, address or the directory of the socket'),
  'postgres-port': z.string().transform(Number).pipe(wholeNumber(1, 65_535)),
  'postgres-database': text('the name of a database'),
  'postgres-user': text('the name of a role'),
  'postgres-password-file': text('a path'),
  backups: text('a path'),
  listen: z.union([z.literal('off'), z.string().pipe(listenAddress())], {
    error: 'must be an address and port, or off',
  }),
  timezone: timeZone(),
};

type Kinds = typeof answerKinds;
export type AnswerName = keyof Kinds;
export type Answers = { [K in AnswerName]?: z.infer<Kinds[K]> | undefined };
export type Flags = { answers: Answers; yes: boolean; force: boolean; help: boolean };

const wrong = (message: string): OpsError =>
  new OpsError('invalid', message, { hint: 'npm start -- init --help shows the flags. Nothing was made.' });

/** Throws `invalid`, naming the flag and never its value: it might be a secret. */
export function readFlags(argv: readonly string[]): Flags {
  refuseSecrets(argv);
  const options = Object.fromEntries(
    Object.keys(answerKinds).map((key) => [key, { type: 'string' as const, multiple: key === 'metrics-url' }]),
  );
  const switches = { yes: { type: 'boolean' }, force: { type: 'boolean' }, help: { type: 'boolean' } } as const;
  let values: Record<string, unknown>;
  try {
    ({ values } = parseArgs({ args: [...argv], options: { ...options, ...switches }, allowPositionals: false }));
  } catch (error) {
    throw wrong(`init: ${flagTrouble(error, argv)}`);
  }
  const answers: Record<string, unknown> = {};
  for (const [key, kind] of Object.entries(answerKinds)) {
    if (values[key] === undefined) continue;
    const parsed = kind.safeParse(values[key]);
    if (!parsed.success) throw wrong(`--${key} ${parsed.error.issues[0]?.message ?? 'is wrong'}.`);
    answers[key] = parsed.data;
  }
  const given = answers as Answers;
  refuseHalves(given);
  return {
    answers: given,
    yes: values['yes'] === true,
    force: values['force'] === true,
    help: values['help'] === true,
  };
}

/** Everybody on the machine can read the command line of a process. */
function refuseSecrets(argv: readonly string[]): void {
  const secretFlag = /^--?(?:registration-)?((?:[a-z-]+-)?(?:secret|token|password))(?:=|$)/;
  const found = argv.map((word) => secretFlag.exec(word)?.[1]).find((name) => name !== undefined);
  if (found === undefined) return;
  throw new OpsError(
    'invalid',
    `--${found}: no secret goes on the command line, where everybody on this machine can read it.`,
    {
      hint: `Put it into a file of mode 0600 and give --${found}-file FILE. One that was typed here is best changed.`,
    },
  );
}

function flagTrouble(error: unknown, argv: readonly string[]): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const message = error instanceof Error ? error.message : '';
  const flag = /'(?:-\w, )?(--?[a-z-]+)/.exec(message)?.[1] ?? '';
  if (code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION') return `I don't know the flag ${flag}.`;
  if (code === 'ERR_PARSE_ARGS_INVALID_OPTION_VALUE')
    return `${flag} needs a value, or takes none${flag === '--ops-room' ? " (a shell wants quotes: '#ops')" : ''}.`;
  return `it takes flags only (${argv.filter((word) => word.startsWith('--')).length} found, and something else).`;
}

function refuseHalves(answers: Answers): void {
  if (answers['shared-secret-file'] !== undefined && answers['admin-token-file'] !== undefined) {
    throw wrong('Give --shared-secret-file or --admin-token-file, not both.');
  }
  const livekit = ['livekit-url', 'livekit-key', 'livekit-secret-file'] as const;
  const missing = livekit.filter((flag) => answers[flag] === undefined);
  if (missing.length > 0 && (missing.length < livekit.length || answers['livekit-metrics-url'] !== undefined)) {
    throw wrong(`For LiveKit ${missing.map((flag) => `--${flag}`).join(' and ')} is missing.`);
  }
  const needsHost = (Object.keys(answers) as AnswerName[]).find(
    (flag) => flag.startsWith('postgres-') || flag === 'backups',
  );
  if (answers['postgres-host'] === undefined && needsHost !== undefined) {
    throw wrong(`--${needsHost} needs --postgres-host.`);
  }
  if (answers.bot !== undefined && answers.bot === answers.admin) {
    throw wrong('--bot and --admin must differ: the account that chats should not be a server admin.');
  }
}

function isUserId(value: string): boolean {
  try {
    return parseUserId(value) === value;
  } catch {
    return false;
  }
}
