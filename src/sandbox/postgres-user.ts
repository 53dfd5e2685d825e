import { readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { OpsError } from '#domain/errors.ts';

/** Whose process PostgreSQL is: it refuses to run as root. */
export type PostgresUser = { uid: number; gid: number; setpriv: string[] };

const searchCapability = { dac_read_search: 2, dac_override: 1 };

/**
 * The present user, or when that is root another one (`postgres`, else `nobody`). Where that user can't reach the given
 * folders, as under /root, the process keeps the one capability to search them, and no other of root's.
 */
export async function postgresUser(folders: readonly string[]): Promise<PostgresUser> {
  const uid = process.getuid?.() ?? 0;
  if (uid !== 0) return { uid, gid: process.getgid?.() ?? uid, setpriv: [] };
  const accounts = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  const account = ['postgres', 'nobody'].map((name) => accounts.find((fields) => fields[0] === name)).find(Boolean);
  if (!account) {
    throw new OpsError('unavailable', 'PostgreSQL can not run as root and this machine has no user for it.', {
      hint: 'useradd --system postgres',
    });
  }
  const [, , user, group] = account;
  const setpriv = [`--reuid=${user}`, `--regid=${group}`, '--clear-groups'];
  const reachable = await Promise.all(folders.map(isReachableByAll));
  if (!reachable.every(Boolean)) {
    const capability = await heldCapability();
    if (capability) setpriv.push(`--inh-caps=+${capability}`, `--ambient-caps=+${capability}`);
    // Without this access(2), by which PostgreSQL finds its own programs, leaves the capability out of account.
    if (capability) setpriv.push('--securebits=+no_setuid_fixup');
  }
  return { uid: Number(user), gid: Number(group), setpriv };
}

async function isReachableByAll(folder: string): Promise<boolean> {
  for (let path = folder; ; path = dirname(path)) {
    // eslint-disable-next-line no-bitwise
    if (((await stat(path)).mode & 0o001) === 0) return false;
    if (path === dirname(path)) return true;
  }
}

/** Containers often withhold the milder of the two. */
async function heldCapability(): Promise<string | undefined> {
  const status = await readFile('/proc/self/status', 'utf8');
  const held = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  return Object.entries(searchCapability).find(([, bit]) => (held >> BigInt(bit)) % 2n === 1n)?.[0];
}
