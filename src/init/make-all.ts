import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { serverOf } from '#domain/accounts.ts';
import type { Clock } from '#domain/clock.ts';
import { OpsError } from '#domain/errors.ts';
import { Secret } from '#domain/secret.ts';
import { loadSettings } from '../settings.ts';
import { type AccountMaker, adminMaker, ensureAccount, ownerOf, sharedSecretMaker } from './accounts.ts';
import { farewell } from './farewell.ts';
import type { Answers } from './flags.ts';
import { Homeserver, meetSynapse } from './homeserver.ts';
import { findMetrics } from './metrics.ts';
import { ensureOpsRoom } from './ops-room.ts';
import { fullAlias, liftRateLimit, proveAdmin, requireOwner } from './prove.ts';
import { readSecretFile, readSharedSecret, SecretsDirectory } from './private-files.ts';
import { lookAtSettings, settingsText, writeSettings } from './settings-file.ts';

export type Complete = Answers & { homeserver: string; owner: string; 'ops-room': string };
export type Work = {
  say: (line: string) => void;
  stop: AbortSignal;
  clock: Clock;
  /** What exists by now, for whoever is told that it failed. */
  made: string[];
};

const howSaid = { made: 'made', known: 'is there, and its token works', renewed: 'is there, and has a new token' };

/** Every step in its order. What can be wrong with the operator's own files is found before anything is made. */
export async function makeAll(answers: Complete, force: boolean, work: Work): Promise<void> {
  const note = (line: string): void => {
    work.made.push(line);
    work.say(`✔ ${line}`);
  };
  const out = resolve(answers.out ?? 'opsroom.yaml');
  const names = { bot: answers.bot ?? 'opsroom', admin: answers.admin ?? 'opsroom-admin' };
  const before = await lookAtSettings(out, { homeserver: answers.homeserver, bot: names.bot, force });
  const key = await readKey(answers);
  const secrets = new SecretsDirectory(out);
  const given = await readGiven(answers);
  const homeserver = new Homeserver(answers.homeserver, work.clock, work.stop);
  work.say(`  Synapse ${await meetSynapse(homeserver)} at ${homeserver.url}`);

  const make = await key(homeserver);
  const deviceName = `opsroom ${new Date(work.clock.now()).toISOString().replace(/\.\d+/, '')}`;
  const by = { homeserver, make, secrets, deviceName, keepOld: force };
  const admin = await ensureAccount(
    { localpart: names.admin, displayName: 'Opsroom admin', admin: true, secrets: 'synapse-admin', flag: 'admin' },
    by,
  );
  await proveAdmin(homeserver, admin);
  note(`${admin.user}, a server admin, ${howSaid[admin.how]}`);
  const server = serverOf(admin.user);
  const owner = await requireOwner(homeserver, admin, answers, server);
  const bot = await ensureAccount(
    { localpart: names.bot, displayName: 'Opsroom', admin: false, secrets: 'matrix', flag: 'bot' },
    by,
  );
  note(`${bot.user} ${howSaid[bot.how]}`);
  for (const { user } of [bot, admin]) {
    if (await liftRateLimit(homeserver, admin.token, user)) note(`the rate limit of ${user} lifted`);
  }

  const room = fullAlias(answers['ops-room'], server);
  const tokens = { token: bot.token, adminToken: admin.token };
  const ready = await ensureOpsRoom(homeserver, {
    room,
    owner,
    bot: bot.user,
    encrypted: answers.encrypted === 'yes',
    ...tokens,
  });
  const isInvited = ready.how === 'made' || ready.invited;
  note(`the room ${room} ${ready.how === 'made' ? 'made' : 'is there'}${isInvited ? `, ${owner} invited` : ''}`);

  for (const [name, secret] of given) await secrets.put(name, secret, { keepOld: force });
  if (answers.listen !== 'off' && (await secrets.find('webhook-secret')) === undefined) {
    await secrets.put('webhook-secret', new Secret(randomBytes(24).toString('base64url')));
  }
  const metricsUrls = answers['metrics-url'] ?? (await findMetrics(homeserver.url));
  const password = (await secrets.find('matrix-password')) !== undefined;
  const made = { homeserver: homeserver.url, bot: bot.user, opsRoom: room, owner, metricsUrls, password };
  const text = settingsText(answers, made);
  const written = await writeSettings(out, text, before, force);
  const outcome = {
    written: 'written',
    same: 'is as it should be',
    left: 'was there and is left as it is; --force writes it anew',
  };
  // Proves that the bot can read what lies there now.
  loadSettings({ file: out });
  note(`${out} ${outcome[written]}`);
  farewell(work.say, {
    out,
    owner,
    room,
    isInvited,
    encrypted: ready.encrypted,
    metrics: metricsUrls.length > 0,
    answers,
  });
}

/** What the operator proves themselves with; read before anything is asked. */
async function readKey(answers: Answers): Promise<(homeserver: Homeserver) => Promise<AccountMaker>> {
  if (answers['shared-secret-file'] !== undefined) {
    const secret = await readSharedSecret(resolve(answers['shared-secret-file']));
    return (homeserver) => Promise.resolve(sharedSecretMaker(homeserver, secret));
  }
  const flag = '--admin-token-file';
  const token = await readSecretFile(resolve(answers['admin-token-file'] ?? ''), flag);
  return async (homeserver) => {
    const user = await ownerOf(homeserver, token);
    if (user === undefined) {
      throw new OpsError(
        'misconfigured',
        `The token of ${flag} does not work at ${homeserver.url}. Nothing was made.`,
        {
          hint: 'It must be the access token of a server admin of this homeserver.',
        },
      );
    }
    await proveAdmin(homeserver, { user, token });
    return adminMaker(homeserver, token, serverOf(user));
  };
}

async function readGiven(answers: Answers): Promise<Array<[name: string, secret: Secret]>> {
  const files = [
    ['livekit-secret', 'livekit-secret-file'],
    ['pg-password', 'postgres-password-file'],
  ] as const;
  const given: Array<[string, Secret]> = [];
  for (const [name, flag] of files) {
    const path = answers[flag];
    if (path !== undefined) given.push([name, await readSecretFile(resolve(path), `--${flag}`)]);
  }
  return given;
}
