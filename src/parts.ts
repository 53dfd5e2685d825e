import { join } from 'node:path';
import { openLiveKit } from '#adapters/livekit/open.ts';
import { SynapseSessionsDatabase } from '#adapters/postgres/open-id-tokens.ts';
import type { BackupSettings } from '#adapters/postgres/backup-settings.ts';
import { openBackups } from '#adapters/postgres/backups.ts';
import { PostgresRoster } from '#adapters/postgres/roster.ts';
import type { RosterTables } from '#adapters/postgres/roster-tables.ts';
import { openSynapse } from '#adapters/synapse/open.ts';
import { FileHandover } from '#adapters/system/handover.ts';
import type { UserId } from '#domain/accounts.ts';
import type { Clock } from '#domain/clock.ts';
import type { Scrubber } from '#domain/scrubber.ts';
import type { Ports } from '#engine/ports.ts';
import { version } from './version.ts';
import type { Settings } from './settings.ts';

/** The outside systems that the settings name; what they leave out is off and missing here. */
export interface Parts extends AsyncDisposable {
  ports: Partial<
    Pick<Ports, 'accounts' | 'rooms' | 'tokens' | 'calls' | 'roster' | 'sessions' | 'handover' | 'backups'>
  >;
  /** A read that has to go to Synapse's database. */
  homeserverDatabase: () => Promise<{ latencyMs: number }>;
  adminUser: () => UserId | undefined;
}

/** Opens each; none of them has to be up. */
export async function openParts(settings: Settings, clock: Clock, scrubber: Scrubber): Promise<Parts> {
  await using stack = new AsyncDisposableStack();
  const synapse = stack.use(
    await openSynapse({
      url: settings.synapse.url,
      adminToken: settings.synapse.adminToken.reveal(),
      clock,
      serverName: settings.matrix.userId.slice(settings.matrix.userId.indexOf(':') + 1),
      chatToken: settings.matrix.accessToken.reveal(),
      learn: (token) => scrubber.learn(token, 'a login-as token'),
    }),
  );
  const ports: Parts['ports'] = {
    accounts: synapse.accounts,
    rooms: synapse.rooms,
    tokens: synapse.tokens,
    handover: new FileHandover(join(settings.dataDir, 'handover')),
  };
  if (settings.livekit) {
    const { url, apiKey, apiSecret } = settings.livekit;
    ports.calls = openLiveKit({ url, apiKey, apiSecret: apiSecret.reveal(), clock }).calls;
  }
  if (settings.roster) {
    const { url } = settings.roster;
    ports.roster = stack.use(new PostgresRoster({ url: url.reveal() }, rosterTables(settings.roster)));
  }
  if (settings.postgres) {
    const { host, port, database, user, password } = settings.postgres;
    const login = { host, port, database, user, password: password?.reveal() ?? '' };
    ports.sessions = stack.use(new SynapseSessionsDatabase(login));
    if (settings.backups) {
      ports.backups = openBackups({
        postgres: backedUpDatabase(settings.postgres),
        directory: settings.backups.directory,
        build: version(),
        clock,
        verifies: settings.backups.verify,
        retention: { keepDays: settings.backups.keepDays, minKeep: settings.backups.minKeep },
      });
    }
  }
  const disposal = stack.move();
  return {
    ports,
    homeserverDatabase: () => synapse.probes.database(),
    adminUser: () => synapse.findAdminUser(),
    [Symbol.asyncDispose]: () => disposal.disposeAsync(),
  };
}

/** The application's tables as the adapter takes them. */
export function rosterTables({ users, memberships, credentials }: NonNullable<Settings['roster']>): RosterTables {
  return {
    users: { ...users, table: quoted(users.table) },
    ...(memberships && { memberships: { ...memberships, table: quoted(memberships.table) } }),
    ...(credentials && { credentials: { ...credentials, table: quoted(credentials.table) } }),
  };
}

/** The database that is backed up, and where copies of it are restored to be counted. */
export function backedUpDatabase(settings: NonNullable<Settings['postgres']>): BackupSettings['postgres'] {
  const { host, port, database, user, password, binDirectory, scratch } = settings;
  const { password: scratchPassword, ...elsewhere } = scratch ?? {};
  const given = Object.entries({ ...elsewhere, password: scratchPassword?.reveal() }).filter(
    ([, value]) => value !== undefined,
  );
  return {
    host,
    port,
    database,
    user,
    password: password?.reveal(),
    ...(binDirectory !== undefined && { binDir: binDirectory }),
    ...(scratch !== undefined && { scratch: Object.fromEntries(given) }),
  };
}

const quoted = (name: { schema: string | undefined; table: string }): string =>
  [name.schema, name.table]
    .flatMap((part) => (part === undefined ? [] : [`"${part.replaceAll('"', '""')}"`]))
    .join('.');
