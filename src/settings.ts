import { readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { isMap, isNode, isScalar, LineCounter, parseDocument, stringify, type Document } from 'yaml';
import { z } from 'zod';
import { hooks, settings as http } from '#adapters/http/settings.ts';
import { settings as livekit } from '#adapters/livekit/settings.ts';
import { settings as matrix } from '#adapters/matrix/settings.ts';
import { roster, settings as postgres } from '#adapters/postgres/settings.ts';
import { sources } from '#adapters/prometheus/settings.ts';
import { settings as shell } from '#adapters/shell/settings.ts';
import { settings as synapse } from '#adapters/synapse/settings.ts';
import { settings as fallbackWay } from '#adapters/webhook/settings.ts';
import { OpsError } from '#domain/errors.ts';
import type { Scrubber } from '#domain/scrubber.ts';
import { Secret } from '#domain/secret.ts';
import { duration, filePath, hostAndPort, timeZone } from '#domain/setting.ts';
import { explainIssues, type SettingPath, type SettingProblem, showPath } from '#engine/settings-text.ts';
import { approvals, backups, limits, onCall, people, reports, roles, rules, botIsNobody } from '#engine/settings.ts';

const schema = z
  .strictObject({
    dataDir: filePath()
      .default('./.data')
      .describe("Where the bot keeps its memory. Relative paths are relative to this file's directory."),
    timezone: timeZone().prefault('UTC').meta({
      description: 'Zone of schedules, reports and shown times.',
      example: 'Europe/Berlin',
    }),
    prefix: z
      .string({ error: 'must be a sign such as "!"' })
      .regex(/^[^\sA-Za-z0-9@#<]{1,3}$/, 'must be one to three signs such as "!", no letters, digits, @, # or <')
      .default('!')
      .describe('What a command begins with.'),
    matrix,
    people,
    roles,
    shell,
    approvals,
    limits,
    synapse,
    livekit: livekit.optional(),
    roster: roster.optional(),
    postgres: postgres.optional(),
    backups: backups.optional(),
    http: http.optional(),
    alerts: z
      .strictObject({
        ...hooks,
        ...sources,
        fallback: z
          .array(fallbackWay, { error: 'must be a list of ways, such as - webhook: { url: … }' })
          .default([])
          .describe('How pages go out while the room cannot be reached, best first.'),
        fallbackAfter: duration()
          .refine((ms) => ms >= 5000 && ms <= 90_000, 'must be from 5s to 90s')
          .prefault('60s')
          .describe('How long a page waits for the room before it goes out another way.'),
        rules,
      })
      .prefault({})
      .describe('Alerts from outside and the limits of the checks.'),
    onCall,
    reports,
    disks: z
      .array(filePath(), { error: 'must be a list of paths' })
      .default([])
      .meta({
        description: 'Further file systems to watch; those of dataDir and backups.directory always are.',
        example: ['/var/lib/postgresql'],
      }),
    certificates: z
      .array(hostAndPort(), { error: 'must be a list of host:port' })
      .default([])
      .meta({
        description: 'Further TLS servers whose certificates are watched; those of https addresses above always are.',
        example: ['chat.example.org:443'],
      }),
  })
  .superRefine(botIsNobody);

/** All that an operator decides, checked, with paths made absolute and secrets read. */
export type Settings = z.infer<typeof schema>;

/** A file's text and its permission bits. Throws as `node:fs` does. */
type ReadFile = (path: string) => { text: string; mode: number };
const fromDisk: ReadFile = (path) => ({ text: readFileSync(path, 'utf8'), mode: statSync(path).mode & 0o777 });

type Environment = Readonly<Record<string, string | undefined>>;

/** The variables that systemd sets for a service. */
export const serviceVariables = (env: Environment = process.env): Environment =>
  Object.fromEntries(['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID', 'PATH'].map((name) => [name, env[name]]));

/** The settings file: what was given on the command line, else `OPSROOM_SETTINGS`. */
export const settingsFile = (given: string | undefined, env: Environment = process.env): string | undefined =>
  given ?? (env['OPSROOM_SETTINGS'] === '' ? undefined : env['OPSROOM_SETTINGS']);

/** Who called `sudo`, by their number; undefined when nobody did. */
export function sudoUser(env: Environment = process.env): number | undefined {
  const uid = env['SUDO_UID'] ?? '';
  return /^\d{1,10}$/.test(uid) ? Number(uid) : undefined;
}

/** Throws `invalid` with every problem at once, each with its line and key and never with a value. */
export function loadSettings(options: {
  file: string;
  env?: Environment;
  readFile?: ReadFile;
  /** Is told of every secret as it is read, so also of those of a file that is refused. */
  scrubber?: Scrubber;
}): Settings {
  const { env = process.env, readFile = fromDisk, scrubber } = options;
  const file = resolve(options.file);
  const lines = new LineCounter();
  const document = parseDocument(readText(file, readFile), { lineCounter: lines, prettyErrors: false });
  if (document.errors.length > 0) {
    const where = document.errors.map((error) => `line ${lines.linePos(error.pos[0]).line}: ${error.message}`);
    throw refusal(file, where);
  }
  const problems: SettingProblem[] = [];
  const read = secretReader(dirname(file), env, readFile);
  const readSecret: SecretReader = (reference, path) => {
    const secret = read(reference, path);
    if (secret instanceof Secret) scrubber?.keep(secret, showPath(path));
    return secret;
  };
  const tree = replaceSecrets(plainValue(document, file), [], readSecret, problems);
  const result = schema.safeParse(tree);
  if (!result.success) {
    const told = new Set(problems.map(({ path }) => showPath(path)));
    const found = explainIssues(result.error.issues, tree, settingsJsonSchema());
    problems.push(...found.filter(({ path }) => !told.has(showPath(path))));
  }
  if (problems.length > 0 || !result.success) {
    const at = (problem: SettingProblem): number => lines.linePos(offsetOf(document, problem)).line;
    const first = (problem: SettingProblem): number => (problem.unknownKey === undefined ? 1 : 0);
    const sorted = problems
      .map((problem) => ({ ...problem, line: at(problem) }))
      .toSorted((a, b) => a.line - b.line || first(a) - first(b));
    throw refusal(
      file,
      sorted.map(({ line, path, text }) => `line ${line}, ${showPath(path) || 'the file'}: ${text}`),
    );
  }
  return absolute(result.data, dirname(file));
}

function readText(file: string, readFile: ReadFile): string {
  try {
    return readFile(file).text;
  } catch (error) {
    throw new OpsError('invalid', `Cannot read the settings ${file}: ${whyUnreadable(error)}.`, {
      hint: '`npm start -- init` writes such a file; --settings FILE or OPSROOM_SETTINGS says where it is.',
      cause: error,
    });
  }
}

function plainValue(document: Document, file: string): unknown {
  try {
    return document.toJS() ?? {};
  } catch (error) {
    // An alias without its anchor, or so many that it looks like an attack; the parser tells no place.
    throw refusal(file, ['an alias (*name) cannot be resolved'], error);
  }
}

const refusal = (file: string, problems: string[], cause?: unknown): OpsError =>
  new OpsError(
    'invalid',
    `${file} has ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}:\n${problems.map((line) => `  ${line}`).join('\n')}`,
    { hint: 'Every key is explained in config/settings.md. Nothing was started.', cause },
  );

function whyUnreadable(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT') return 'there is no such file';
  if (code === 'EACCES') return 'this user may not read it';
  if (code === 'EISDIR') return 'it is a directory';
  return typeof code === 'string' ? code : 'it cannot be read';
}

type SecretReader = (reference: { file: string } | { env: string }, path: SettingPath) => Secret | { problem: string };

function secretReader(directory: string, env: Environment, readFile: ReadFile): SecretReader {
  const fromFile = (file: string): Secret | { problem: string } => {
    const path = resolve(directory, file);
    try {
      const { text, mode } = readFile(path);
      if ((mode & 0o077) !== 0) {
        return { problem: `is in ${path}, which others may open (mode 0${mode.toString(8)}). Type: chmod 600 ${path}` };
      }
      const value = text.trim();
      return value === '' ? { problem: `is in ${path}, which is empty` } : new Secret(value, path);
    } catch (error) {
      return { problem: `is in ${path}: ${whyUnreadable(error)}` };
    }
  };
  return (reference) => {
    if ('file' in reference) return fromFile(reference.file);
    const value = Object.hasOwn(env, reference.env) ? (env[reference.env]?.trim() ?? '') : '';
    return value === ''
      ? { problem: `is in the environment variable ${reference.env}, which is not set` }
      : new Secret(value);
  };
}

/** `{ file: … }` and `{ env: … }`, wherever they stand, become `Secret`s; those that can't be read become problems. */
function replaceSecrets(value: unknown, path: SettingPath, read: SecretReader, problems: SettingProblem[]): unknown {
  if (Array.isArray(value)) return value.map((item, at) => replaceSecrets(item, [...path, at], read, problems));
  if (typeof value !== 'object' || value === null) return value;
  if (isReference(value)) {
    const secret = read(value, path);
    if (secret instanceof Secret) return secret;
    problems.push({ path, text: secret.problem });
    return value;
  }
  const entries = Object.entries(value).map(([key, item]) => [
    key,
    replaceSecrets(item, [...path, key], read, problems),
  ]);
  return Object.fromEntries(entries);
}

function isReference(value: object): value is { file: string } | { env: string } {
  const [[key, name] = [], ...rest] = Object.entries(value);
  return rest.length === 0 && (key === 'file' || key === 'env') && typeof name === 'string' && name !== '';
}

/** Where in the text a problem is: the key itself when it is unknown, else the value, else the nearest thing around it. */
function offsetOf(document: Document, { path, unknownKey }: SettingProblem): number {
  const parent: unknown = document.getIn(path.slice(0, -1), true);
  if (unknownKey !== undefined && isMap(parent)) {
    const key = parent.items.find((pair) => isScalar(pair.key) && pair.key.value === unknownKey)?.key;
    if (isNode(key)) return key.range?.[0] ?? 0;
  }
  for (let length = path.length; length > 0; length--) {
    const node: unknown = document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return 0;
}

function absolute(settings: Settings, directory: string): Settings {
  const { backups: sets, postgres: database } = settings;
  const here = (path: string): string => resolve(directory, path);
  return {
    ...settings,
    dataDir: here(settings.dataDir),
    disks: settings.disks.map(here),
    shell: settings.shell.directory === undefined ? {} : { directory: here(settings.shell.directory) },
    backups: sets && { ...sets, directory: here(sets.directory) },
    postgres: database?.binDirectory ? { ...database, binDirectory: here(database.binDirectory) } : database,
  };
}

/** Every value in force, defaults too; secrets as `<secret>`. */
export const printRedacted = (settings: Settings): string => stringify(JSON.parse(JSON.stringify(settings)));

/** Parts that the settings leave out, and the setting that switches each on. Off is not down. */
export function partsOff(settings: Settings): Array<{ part: string; setting: string; port?: string }> {
  const parts = [
    ['livekit', 'calls'],
    ['roster', 'roster'],
    ['postgres', 'sessions'],
    ['backups', 'backups'],
    ['http', undefined],
  ] as const;
  const off: Array<{ part: string; setting: string; port?: string }> = parts
    .filter(([part]) => settings[part] === undefined)
    .map(([part, port]) => ({ part, setting: part, ...(port === undefined ? {} : { port }) }));
  if (settings.alerts.webhookSecret === undefined) off.push({ part: 'webhooks', setting: 'alerts.webhookSecret' });
  return off;
}

/** What an editor checks the file against, and what the reference is made from. */
export function settingsJsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
    override: ({ jsonSchema }) => {
      // zod drops `examples` of whatever is transformed, hence the name `example` in the sections.
      if (jsonSchema['example'] !== undefined) jsonSchema.examples = [jsonSchema['example']];
      delete jsonSchema['example'];
      if (jsonSchema['secret'] === undefined) return;
      delete jsonSchema['secret'];
      const one = (key: string) => ({
        type: 'object' as const,
        properties: { [key]: { type: 'string' as const } },
        required: [key],
        additionalProperties: false,
      });
      jsonSchema.oneOf = [one('file'), one('env')];
    },
  });
}
