import { randomBytes } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PortMap } from './ports.ts';

/** Written into the databases and Synapse's files when they are made, so they stay with these for good. */
export type DataSecrets = {
  superPassword: string;
  synapsePassword: string;
  appPassword: string;
  registration: string;
  macaroon: string;
  form: string;
  appserviceToken: string;
  appserviceHsToken: string;
  adminPassword: string;
};

export type LivekitSecrets = { key: string; secret: string };

/** The databases as they were left whole: their secrets and the administrator's token. */
export type DataState = { secrets: DataSecrets; adminToken: string };

/** What a run directory remembers between two starts. `data` is set last: without it the databases are made anew. */
export type StackState = {
  livekit: LivekitSecrets;
  ports?: { base: number; map: PortMap };
  data?: DataState;
};

const file = 'stack.json';

export async function readState(dir: string): Promise<StackState> {
  const text = await readFile(join(dir, file), 'utf8').catch(() => undefined);
  if (text !== undefined) return JSON.parse(text) as StackState;
  return { livekit: { key: 'sandbox', secret: secret() } };
}

export async function writeState(dir: string, state: StackState): Promise<void> {
  await writePrivate(join(dir, file), `${JSON.stringify(state, null, 2)}\n`);
}

/** Readable by its owner only, and never half-written. */
export async function writePrivate(path: string, text: string): Promise<void> {
  const fresh = `${path}.new`;
  await writeFile(fresh, text, { mode: 0o600 });
  await rename(fresh, path);
}

export function newDataSecrets(): DataSecrets {
  return {
    superPassword: secret(),
    synapsePassword: secret(),
    appPassword: secret(),
    registration: secret(),
    macaroon: secret(),
    form: secret(),
    appserviceToken: secret(),
    appserviceHsToken: secret(),
    adminPassword: secret(),
  };
}

function secret(): string {
  return randomBytes(24).toString('hex');
}
