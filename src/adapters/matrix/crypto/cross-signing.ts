import { DeviceId, OwnUserIdentity, type SignatureUploadRequest, UserId } from '@matrix-org/matrix-sdk-crypto-wasm';
import { OpsError } from '#domain/errors.ts';
import { needsPassword, type Request } from '../client.ts';
import type { Machine } from './machine.ts';
import type { Requests } from './requests.ts';
import type { Seeds, SeedsFile } from './seeds.ts';

/** What people's clients see of the bot's device. */
export type Signed =
  | 'signed'
  /** The account has an identity whose seeds are not here, and no password is known to make another. */
  | 'no-seeds'
  /** The homeserver asks for the password before it takes a new identity. */
  | 'password-needed';

type Hands = { machine: Machine; requests: Requests; request: Request; seeds: SeedsFile; password: string | undefined };

/**
 * The bot's own identity and this device's signature under it. Done at every start; does only what is missing. A new
 * device signs itself with the saved seeds, so nobody sees a warning.
 */
export async function crossSign(hands: Hands): Promise<Signed> {
  const { machine, requests, seeds } = hands;
  const { user } = machine;
  await machine.call((olm) => olm.updateTrackedUsers([new UserId(user)]));
  await requests.pump();
  const known = await machine.call((olm) => olm.getIdentity(new UserId(user)));
  if (!(known instanceof OwnUserIdentity)) return makeIdentity(hands);
  if (!(await hasKeys(machine))) {
    const saved = seeds.read(user);
    if (saved !== undefined)
      await machine.call((olm) => olm.importCrossSigningKeys(saved.master, saved.selfSigning, saved.userSigning));
    // No seeds, or those of an identity that was replaced since. Only the password helps: people's clients then say that
    // the bot's identity has changed, which it has.
    if (!(await hasKeys(machine))) return hands.password === undefined ? 'no-seeds' : makeIdentity(hands, true);
  }
  await saveSeeds(machine, seeds);
  if (!(await isSigned(machine))) await signDevice(hands);
  return (await isSigned(machine)) ? 'signed' : 'no-seeds';
}

const hasKeys = (machine: Machine): Promise<boolean> =>
  machine.call(async (olm) => {
    const status = await olm.crossSigningStatus();
    return status.hasMaster && status.hasSelfSigning && status.hasUserSigning;
  });

export const isSigned = (machine: Machine): Promise<boolean> =>
  machine.call(async (olm) => {
    const device = await olm.getDevice(new UserId(machine.user), new DeviceId(machine.device));
    return device?.isCrossSignedByOwner() ?? false;
  });

async function signDevice({ machine, requests, request }: Hands): Promise<void> {
  const signatures = await machine.call(async (olm) => {
    const device = await olm.getDevice(new UserId(machine.user), new DeviceId(machine.device));
    return device?.verify();
  });
  if (signatures) await uploadSignatures(request, signatures);
  await refresh(machine, requests);
}

/** The homeserver answers 200 also when it took a signature not. */
async function uploadSignatures(request: Request, { body }: SignatureUploadRequest): Promise<void> {
  const path = '/_matrix/client/v3/keys/signatures/upload';
  const { failures } = await request('POST', path, null, JSON.parse(body) as object);
  if (failures !== undefined && Object.keys(failures as object).length > 0) {
    throw new OpsError('unavailable', "The homeserver did not take the signature of the bot's device.", {
      cause: JSON.stringify(failures),
    });
  }
}

/** Asks for the own keys anew, so that what was uploaded is what is known. */
async function refresh(machine: Machine, requests: Requests): Promise<void> {
  const query = await machine.call(async (olm) => olm.queryKeysForUsers([new UserId(machine.user)]));
  await requests.send(query);
}

/** A fresh account's first identity needs no password; one that replaces another (`anew`) does. */
async function makeIdentity(hands: Hands, anew = false): Promise<Signed> {
  const { machine, requests, request, seeds, password } = hands;
  const made = await machine.call((olm) => olm.bootstrapCrossSigning(anew));
  const { uploadKeysRequest, uploadSigningKeysRequest, uploadSignaturesRequest } = made;
  // On disk before the homeserver has it: an identity without its seeds could never sign a second device.
  await saveSeeds(machine, seeds);
  if (uploadKeysRequest) await requests.send(uploadKeysRequest as Parameters<Requests['send']>[0]);
  const path = '/_matrix/client/v3/keys/device_signing/upload';
  const body = JSON.parse(uploadSigningKeysRequest.body) as object;
  try {
    await request('POST', path, null, body);
  } catch (error) {
    const session = needsPassword(error);
    if (session === undefined) throw error;
    if (password === undefined) return 'password-needed';
    const identifier = { type: 'm.id.user', user: machine.user };
    await request('POST', path, null, { ...body, auth: { type: 'm.login.password', identifier, password, session } });
  }
  await uploadSignatures(request, uploadSignaturesRequest);
  await refresh(machine, requests);
  return (await isSigned(machine)) ? 'signed' : 'no-seeds';
}

async function saveSeeds(machine: Machine, file: SeedsFile): Promise<void> {
  const keys = await machine.call((olm) => olm.exportCrossSigningKeys());
  const { masterKey, self_signing_key: selfSigning, userSigningKey } = keys ?? {};
  if (masterKey === undefined || selfSigning === undefined || userSigningKey === undefined) return;
  const seeds: Seeds = { master: masterKey, selfSigning, userSigning: userSigningKey };
  file.write(machine.user, seeds);
}
