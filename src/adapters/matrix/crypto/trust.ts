import {
  DeviceId,
  type OlmMachine,
  OtherUserIdentity,
  ShieldColor,
  ShieldStateCode,
  UserId,
} from '@matrix-org/matrix-sdk-crypto-wasm';

/** What is known of the device that sent something. `doubt` says why it is not the word of its owner. */
export type Trust = { device: string | undefined; doubt: Doubt | undefined };
export type Doubt =
  /** Its owner has not signed it, or has no identity at all. */
  | 'unsigned'
  /** Nobody knows such a device: logged out since, or never told of. */
  | 'unknown'
  /** The person has made a new identity since the bot first saw one. */
  | 'new-identity'
  /** The library has another objection. */
  | 'shield';

type Shield = { color: ShieldColor; code: ShieldStateCode | undefined };

/**
 * Whose word is it? The library's shield alone doesn't tell: it is silent about a device that was logged out and about an
 * identity that was made anew.
 */
export async function judge(
  olm: OlmMachine,
  by: { user: string; device: string | undefined; shield: Shield },
): Promise<Trust> {
  const { user, device, shield } = by;
  const trust = (doubt: Doubt | undefined): Trust => ({ device, doubt });
  if (device === undefined) return trust('unknown');
  const known = await olm.getDevice(new UserId(user), new DeviceId(device));
  if (known === undefined || known.isDeleted()) return trust('unknown');
  const identity = await olm.getIdentity(new UserId(user));
  if (identity instanceof OtherUserIdentity && identity.identityNeedsUserApproval()) return trust('new-identity');
  if (!known.isCrossSignedByOwner()) return trust('unsigned');
  if (shield.color !== ShieldColor.None)
    return trust(shield.code === ShieldStateCode.UnsignedDevice ? 'unsigned' : 'shield');
  return trust(undefined);
}
