import { OpsError } from '#domain/errors.ts';
import type { Log } from '#domain/log.ts';
import type { Request } from '../client.ts';
import { KeyStore } from './key-store.ts';
import { keysLost } from './keys-lost.ts';

export type OwnKeys = {
  request: Request;
  user: string;
  device: string;
  storeFile: string;
  /** The last `mark` that the bot's memory has noted. */
  noted: () => string | undefined;
  log: Log;
};

/** The keys on disk must be this device's and the latest; without any, the device must be a new one. */
export async function openStore(options: OwnKeys): Promise<KeyStore> {
  const { user, device, storeFile, log } = options;
  let store = KeyStore.open(storeFile);
  try {
    const of = store.isEmpty ? undefined : store.deviceOf();
    if (of?.user === user && of.device === device) {
      const last = Math.max(ageIn(options.noted(), device), await ageAtServer(options));
      if (store.age < last)
        throw keysLost(device, `${storeFile} is an old copy, and what it would say was said already`);
      await tellServer(options, store.age);
      return store;
    }
    if (await isKnown(options)) {
      throw keysLost(
        device,
        of ? `${storeFile} holds the keys of ${of.device}` : `${storeFile} is empty, its keys are lost`,
      );
    }
    if (of) {
      log.warn(
        { was: of.device, is: device },
        'the access token is that of another device: the bot begins with new keys',
      );
      store = store.anew();
    }
    return store;
  } catch (error) {
    store.close();
    throw error;
  }
}

/** Of which device, and how old: what other places remember, so that an older copy shows. */
export const markOf = (device: string, age: number): string => `${device} ${age}`;

function ageIn(mark: unknown, device: string): number {
  const [of, age] = typeof mark === 'string' ? mark.split(' ') : [];
  return of === device ? Number(age) : 0;
}

const agePath = ({ user }: OwnKeys): string =>
  `/_matrix/client/v3/user/${encodeURIComponent(user)}/account_data/org.opsroom.keys`;

/** The bot's memory may be as old as the copy: both restored from one backup. The homeserver is not. */
async function ageAtServer(options: OwnKeys): Promise<number> {
  try {
    const { mark } = await options.request('GET', agePath(options));
    return ageIn(mark, options.device);
  } catch (error) {
    if (error instanceof OpsError && error.kind === 'notFound') return 0;
    throw error;
  }
}

const tellServer = (options: OwnKeys, age: number): Promise<object> =>
  options.request('PUT', agePath(options), null, { mark: markOf(options.device, age) });

/** Has the homeserver keys of this device? */
async function isKnown({ request, user, device }: OwnKeys): Promise<boolean> {
  const asked = { device_keys: { [user]: [device] } };
  const { device_keys: known } = (await request('POST', '/_matrix/client/v3/keys/query', null, asked)) as {
    device_keys?: Record<string, Record<string, unknown>>;
  };
  return known?.[user]?.[device] !== undefined;
}
