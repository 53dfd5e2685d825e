import { OtherUserIdentity, UserId as LibraryUserId } from '@matrix-org/matrix-sdk-crypto-wasm';
import type { UserId } from '#domain/accounts.ts';
import type { PersonKeys } from '#domain/encryption.ts';
import { OpsError } from '#domain/errors.ts';
import { idsOf } from './ids.ts';
import type { Machine } from './machine.ts';
import type { Requests } from './requests.ts';

/** What the bot knows of somebody's devices and identity; `fingerprint` is that of the identity. */
export type Known = PersonKeys & { fingerprint: string | undefined };

/** Looks at the homeserver first, so that what was signed a moment ago counts. */
export async function lookAt(machine: Machine, requests: Requests, users: readonly UserId[]): Promise<Known[]> {
  await requests.send(await machine.call(async (olm) => olm.queryKeysForUsers(idsOf(users))));
  const known: Known[] = [];
  for (const user of users.filter((one) => idsOf([one]).length > 0)) known.push(await keysOf(machine, user));
  return known;
}

const keysOf = (machine: Machine, user: UserId): Promise<Known> =>
  machine.call(async (olm) => {
    const identity = await olm.getIdentity(new LibraryUserId(user));
    const devices = (await olm.getUserDevices(new LibraryUserId(user))).devices();
    const changed = identity instanceof OtherUserIdentity && identity.identityNeedsUserApproval();
    const unsigned = devices.filter((device) => !device.isCrossSignedByOwner());
    return {
      user,
      signed: devices.length - unsigned.length,
      unsigned: unsigned.map((device) => ({ device: device.deviceId.toString(), name: device.displayName })),
      identity: identity === undefined ? 'none' : changed ? 'changed' : 'known',
      fingerprint: identity === undefined ? undefined : fingerprintIn(identity.masterKey),
    };
  });

/** A new identity is the person's from now on. */
export async function acceptIdentity(
  machine: Machine,
  requests: Requests,
  by: { user: UserId; fingerprint: string },
): Promise<void> {
  const [known] = await lookAt(machine, requests, [by.user]);
  if (known?.fingerprint !== by.fingerprint) {
    throw new OpsError('conflict', `${by.user} has yet another identity by now. Nothing was accepted.`, {
      hint: `!crypto verify ${by.user}`,
    });
  }
  await machine.call(async (olm) => {
    const identity = await olm.getIdentity(new LibraryUserId(by.user));
    if (identity instanceof OtherUserIdentity) await identity.pinCurrentMasterKey();
  });
}

/** The library gives the whole key object; people compare the key alone. */
function fingerprintIn(masterKey: string): string {
  const { keys } = JSON.parse(masterKey) as { keys: Record<string, string> };
  return Object.values(keys)[0] ?? '';
}
