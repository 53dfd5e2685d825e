import { randomBytes } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { Seeded } from './seed.ts';
import type { Stack } from './stack.ts';
import { writePrivate } from './state.ts';

export type BotFiles = { settingsFile: string; webhookUrl: string; webhookSecret: string };

/** Settings that differ from the sandbox's own, by section. */
export type SettingsPatch = Record<string, unknown>;

/** Writes the bot's `opsroom.yaml` and its secrets into the run directory, as an operator would have them. */
export async function writeBotSettings(stack: Stack, seeded: Seeded, patch: SettingsPatch = {}): Promise<BotFiles> {
  const dir = join(stack.dir, 'bot');
  await mkdir(join(dir, 'secrets'), { recursive: true, mode: 0o700 });
  await mkdir(join(dir, 'backups'), { recursive: true, mode: 0o700 });
  const secret = async (name: string, value: string): Promise<{ file: string }> => {
    await writePrivate(join(dir, 'secrets', name), `${value}\n`);
    return { file: `./secrets/${name}` };
  };
  const webhookSecret = await remembered(join(dir, 'secrets', 'webhook'));
  const { addresses, postgres, synapse, serverName } = stack;
  const { livekit } = addresses;
  const user = (localpart: string): string => `@${localpart}:${serverName}`;
  const settings = {
    dataDir: './data',
    matrix: {
      homeserverUrl: synapse.url,
      userId: seeded.bot.userId,
      accessToken: await secret('matrix-token', seeded.bot.token),
      opsRoom: seeded.opsRoom.roomId,
    },
    people: [
      { user: user('alice'), role: 'owner' },
      { user: user('bob'), role: 'admin' },
      { user: user('carol'), role: 'operator' },
    ],
    synapse: {
      url: synapse.url,
      adminToken: await secret('synapse-admin-token', seeded.admin.token),
      metricsUrls: [synapse.metricsUrl],
    },
    livekit: {
      url: livekit.url,
      apiKey: livekit.apiKey,
      apiSecret: await secret('livekit-secret', livekit.apiSecret),
      metricsUrl: livekit.metricsUrl,
    },
    roster: {
      kind: 'postgres',
      url: await secret('app-db-url', postgres.appUrl),
      users: {
        table: '"User"',
        id: 'id',
        matrixId: 'matrixId',
        status: 'status',
        active: 'ACTIVE',
        suspended: 'SUSPENDED',
        onboarding: 'ONBOARDING',
      },
      memberships: { table: '"ProjectMember"', user: 'userId', project: 'projectId' },
      credentials: { table: '"MatrixCredential"', user: 'userId' },
    },
    postgres: {
      host: postgres.host,
      port: postgres.port,
      database: postgres.database,
      user: postgres.superuser,
      password: await secret('pg-password', postgres.superPassword),
      binDirectory: postgres.binDir,
    },
    backups: { directory: './backups' },
    http: { listen: addresses.bot },
    alerts: {
      webhookSecret: await secret('webhook', webhookSecret),
      alertmanagerUrl: addresses.alertmanagerUrl,
      prometheusUrl: addresses.prometheusUrl,
      rules: { 'livekit-health': { for: stillBuilding(stack) ? '30m' : '30s' } },
    },
    onCall: {
      layers: [{ name: 'primary', rotation: 'weekly', handoff: 'Mon 09:00', people: [user('alice'), user('bob')] }],
    },
    ...patch,
  };
  const settingsFile = join(dir, 'opsroom.yaml');
  await writePrivate(settingsFile, stringify(settings));
  return { settingsFile, webhookUrl: `http://${addresses.bot}/hooks/alertmanager`, webhookSecret };
}

/** A newcomer isn't paged for a LiveKit that is still on its way. */
const stillBuilding = (stack: Stack): boolean =>
  stack.status().some(({ part, state }) => part === 'livekit' && state !== 'ready' && state !== 'starting');

async function remembered(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text.trim() || randomBytes(24).toString('hex');
}
