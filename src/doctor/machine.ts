import { randomUUID } from 'node:crypto';
import { open, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { readSets } from '#adapters/postgres/sets.ts';
import { LocalDisks } from '#adapters/system/disks.ts';
import { endpoint } from '#adapters/system/endpoint.ts';
import { bytesNeeded } from '#domain/backups.ts';
import type { Clock } from '#domain/clock.ts';
import { formatBytes } from '#domain/duration.ts';
import { OpsError } from '#domain/errors.ts';
import type { Settings } from '../settings.ts';
import type { ServerKnown } from './databases.ts';
import { type Finding, type Look, off, well, wrong } from './finding.ts';

const gibibyte = 2 ** 30;
/** What the bot's own memory needs in a year, and then some. */
const dataBytes = gibibyte / 4;

/** This machine: directories and the bot's own address. */
export function machineLooks(settings: Settings, server: ServerKnown, clock: Clock): Look[] {
  const { dataDir, backups, postgres, http, alerts } = settings;
  return [
    {
      part: 'data',
      look: () => roomIn(dataDir, dataBytes, 'dataDir'),
    },
    {
      part: 'backups',
      async look() {
        if (backups === undefined) return off('backups is not set');
        if (postgres === undefined) return wrong('postgres is not set, so nothing is backed up.', 'Set postgres.');
        return backupRoom(backups.directory, server);
      },
    },
    {
      part: 'HTTP',
      look: (signal) =>
        http
          ? ownAddress(http.listen, clock, signal)
          : Promise.resolve(off('http is not set: no health, metrics and webhooks')),
    },
    {
      part: 'webhooks',
      look: () =>
        Promise.resolve(
          http === undefined || alerts.webhookSecret === undefined
            ? off(
                `${http === undefined ? 'http' : 'alerts.webhookSecret'} is not set: Alertmanager cannot reach the bot`,
              )
            : well(`POST http://${shown(http.listen)}/hooks/alertmanager`),
        ),
    },
  ];
}

async function backupRoom(directory: string, server: ServerKnown): Promise<Finding> {
  // First whether there is such a directory: what is wrong with it is said better there.
  await nearest(directory);
  const { sets } = await readSets(directory).catch(() => ({ sets: [] }));
  const last = sets[0] && { lastSetBytes: sets[0].bytes };
  const guess =
    last ??
    (await server().then(
      ({ databaseBytes }) => ({ databaseBytes }),
      () => ({}),
    ));
  return roomIn(directory, bytesNeeded({ ...guess, floorBytes: gibibyte }), 'backups.directory');
}

/** Writes a file there and takes it away again: rights alone don't tell (read-only mounts, quotas). */
async function roomIn(directory: string, neededBytes: number, setting: string): Promise<Finding> {
  const there = await nearest(directory);
  // Two looks may meet in one directory.
  const probe = join(there, `.opsroom-doctor-${randomUUID()}`);
  try {
    await (await open(probe, 'wx', 0o600)).close();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'it failed';
    const mend = `Give the bot's user the right to write there, or change ${setting}.`;
    return wrong(`Cannot write in ${there} (${code}).`, mend);
  } finally {
    await rm(probe, { force: true });
  }
  const { freeBytes } = await new LocalDisks([there]).usage(there);
  const text = `${directory}${there === directory ? '' : ' (made at the start)'}, ${formatBytes(freeBytes)} free`;
  if (freeBytes >= neededBytes) return well(text);
  return wrong(`${text}; ${formatBytes(neededBytes)} are needed.`, `Free some room there, or change ${setting}.`);
}

/** The directory itself, or the one in which it will be made. */
async function nearest(directory: string): Promise<string> {
  for (let at = directory; ; at = dirname(at)) {
    const found = await stat(at).catch(() => undefined);
    if (found?.isDirectory()) return at;
    if (found !== undefined)
      throw new OpsError('misconfigured', `${at} is not a directory.`, { hint: 'Change the setting.' });
    if (at === dirname(at)) throw new OpsError('misconfigured', `${directory} cannot be made.`);
  }
}

type Listen = { host: string; port: number };
const shown = ({ host, port }: Listen): string => `${host.includes(':') ? `[${host}]` : host}:${port}`;

/** Free, or held by the bot itself: its metrics say so. */
async function ownAddress(listen: Listen, clock: Clock, signal: AbortSignal): Promise<Finding> {
  const code = await tryListen(listen);
  if (code === undefined) return well(`${shown(listen)} is free for the bot`);
  const mend = 'Stop the other program, or change http.listen.';
  if (code !== 'EADDRINUSE') return wrong(`Cannot listen on ${shown(listen)} (${code}).`, 'Change http.listen.');
  const host = listen.host === '0.0.0.0' ? '127.0.0.1' : listen.host === '::' ? '::1' : listen.host;
  const metrics = await endpoint(`http://${shown({ ...listen, host })}/metrics`, clock)(signal).catch(() => undefined);
  if (metrics?.kind === 'answered' && metrics.text.includes('opsroom_build_info')) {
    return well(`${shown(listen)}, held by the running bot`);
  }
  return wrong(`Another program listens on ${shown(listen)}.`, mend);
}

/** Why it can't be listened on, undefined when it can. */
function tryListen({ host, port }: Listen): Promise<string | undefined> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'unknown'));
    server.listen(port, host, () => server.close(() => resolve(undefined)));
  });
}
