import { resolve } from 'node:path';
import { parseDocument, stringify } from 'yaml';
import type { UserId } from '#domain/accounts.ts';
import { OpsError } from '#domain/errors.ts';
import type { Answers } from './flags.ts';
import { readIfThere, writePrivate } from './private-files.ts';

export type Made = {
  homeserver: string;
  bot: UserId;
  opsRoom: string;
  owner: UserId;
  metricsUrls: string[];
  password: boolean;
};

const header = `# Settings of Opsroom, made by init. Every key is explained in config/settings.md, an example of all of them is
# config/opsroom.example.yaml. npm start -- doctor --settings FILE says whether all of it works.
# shell: NAME beside your role (your Unix user on this machine) lets you use npm start -- exec when Matrix is down.
`;
const file = (name: string): { file: string } => ({ file: `./secrets/${name}` });

/** The text of opsroom.yaml. What wasn't asked for is left out: off, and said to be. */
export function settingsText(
  answers: Answers,
  { homeserver, bot, opsRoom, owner, metricsUrls, password }: Made,
): string {
  const listen = answers.listen ?? { host: '127.0.0.1', port: 9099 };
  const host = answers['postgres-host'];
  const sections: Record<string, unknown> = {
    dataDir: './.data',
    timezone: answers.timezone ?? new Intl.DateTimeFormat().resolvedOptions().timeZone,
    matrix: {
      homeserverUrl: homeserver,
      userId: bot,
      accessToken: file('matrix-token'),
      ...(password && { password: file('matrix-password') }),
      opsRoom,
    },
    people: [{ user: owner, role: 'owner' }],
    synapse: {
      url: homeserver,
      adminToken: file('synapse-admin-token'),
      ...(metricsUrls.length > 0 && { metricsUrls }),
    },
    ...(answers['livekit-url'] !== undefined && {
      livekit: {
        url: answers['livekit-url'],
        apiKey: answers['livekit-key'],
        apiSecret: file('livekit-secret'),
        ...(answers['livekit-metrics-url'] !== undefined && { metricsUrl: answers['livekit-metrics-url'] }),
      },
    }),
    ...(host !== undefined && {
      postgres: {
        host,
        port: answers['postgres-port'] ?? 5432,
        database: answers['postgres-database'] ?? 'synapse',
        user: answers['postgres-user'] ?? 'synapse',
        ...(answers['postgres-password-file'] !== undefined && { password: file('pg-password') }),
      },
    }),
    ...(answers.backups !== undefined && { backups: { directory: resolve(answers.backups) } }),
    ...(listen !== 'off' && {
      http: { listen: `${listen.host.includes(':') ? `[${listen.host}]` : listen.host}:${listen.port}` },
      alerts: { webhookSecret: file('webhook-secret') },
    }),
  };
  const text = Object.entries(sections).map(([key, value]) => `\n${stringify({ [key]: value })}`);
  return header + text.join('').replaceAll(/:\n +file: (\S+)$/gm, ': { file: $1 }');
}

/** Refuses, before anything is made, to touch the files of another bot. Gives what is there, if anything. */
export async function lookAtSettings(
  path: string,
  wanted: { homeserver: string; bot: string; force: boolean },
): Promise<string | undefined> {
  const text = await readIfThere(path);
  if (text === undefined || wanted.force) return text;
  const document = parseDocument(text, { prettyErrors: false });
  const userId: unknown = document.getIn(['matrix', 'userId']);
  const url: unknown = document.getIn(['matrix', 'homeserverUrl']);
  const isSame =
    typeof userId === 'string' &&
    userId.startsWith(`@${wanted.bot}:`) &&
    String(url).replace(/\/+$/, '') === wanted.homeserver;
  if (document.errors.length === 0 && isSame) return text;
  throw new OpsError('invalid', `${path} is there already, for another homeserver or bot. Nothing was made.`, {
    hint: 'Choose another place with --out, or write it anew with --force: the old one is then kept as .bak.',
  });
}

/** Never writes over what an operator may have changed, unless told to. */
export async function writeSettings(
  path: string,
  text: string,
  known: string | undefined,
  force: boolean,
): Promise<'written' | 'same' | 'left'> {
  if (known === text) return 'same';
  if (known !== undefined && !force) return 'left';
  await writePrivate(path, text, { keepOld: true });
  return 'written';
}
