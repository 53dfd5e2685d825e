import { randomBytes } from 'node:crypto';
import { lstat, mkdir, readdir, readFile, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';

// Node can't ask the kernel who is at the other end of a socket. It can ask who owns a directory: the door names one that
// is not there yet, the caller makes it, and the kernel marks it with the caller's Unix user. Nobody but root can make one
// that belongs to another; a directory, since a file of somebody else could be linked there.

/** Where the callers of the door at that path prove who they are. */
export const proofsBeside = (socket: string): string => join(dirname(socket), 'door.proofs');

/** A name in `directory` that nobody can know. */
export const newChallenge = (directory: string): string => join(directory, randomBytes(16).toString('hex'));

/** The caller's side. */
export async function prove(challenge: string): Promise<void> {
  await mkdir(challenge, { mode: 0o700 });
}

/** The Unix user who made it; undefined when nobody did, or not as it has to be. It is gone afterwards. */
export async function whoProved(challenge: string): Promise<number | undefined> {
  const found = await lstat(challenge).catch(() => undefined);
  await rmdir(challenge).catch(() => undefined);
  return found?.isDirectory() === true && (found.mode & 0o777) === 0o700 ? found.uid : undefined;
}

/** What a process that was killed has left. */
export async function forgetProofs(directory: string): Promise<void> {
  const names = await readdir(directory);
  await Promise.all(names.map((name) => rmdir(join(directory, name)).catch(() => undefined)));
}

/** The names of a Unix user: its number, and what /etc/passwd calls it. */
export async function namesOf(uid: number): Promise<string[]> {
  const text = await readFile('/etc/passwd', 'utf8').catch(() => '');
  const names = text
    .split('\n')
    .map((line) => line.split(':'))
    .filter(([, , number]) => number === String(uid))
    .map(([name = '']) => name);
  return [...names, String(uid)];
}
