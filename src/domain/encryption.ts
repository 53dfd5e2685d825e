import type { UserId } from './accounts.ts';

/** How people's clients see the bot's device. */
export type BotDevice = {
  device: string;
  /** As clients show it beside the device, to be compared. */
  fingerprint: string;
  signed: boolean;
};

export type PersonKeys = {
  user: UserId;
  signed: number;
  /** Devices that may not command and do not get the bot's messages. */
  unsigned: Array<{ device: string; name: string | undefined }>;
  /** `changed`: made anew since the bot first saw one; nothing of it counts until somebody accepts it. */
  identity: 'none' | 'known' | 'changed';
};

export type EncryptionStatus = {
  /** Of the ops room. */
  encrypted: boolean;
  mode: 'auto' | 'required' | 'off';
  /** Undefined as long as no encrypted room was met. */
  bot: BotDevice | undefined;
  people: PersonKeys[];
  /** Messages whose keys are missing. */
  unread: number;
};

/** The keys of encrypted rooms. Throws `unavailable` while the homeserver is down. */
export interface Encryption {
  status(): Promise<EncryptionStatus>;
  find(user: UserId): Promise<PersonKeys & { fingerprint: string | undefined }>;
  /** From now on the person's present identity counts. `fingerprint`: the one that was looked at; another throws `conflict`. */
  accept(user: UserId, fingerprint: string): Promise<void>;
  /** A new device of the bot, signed by its saved identity. Throws `misconfigured` when it can't log in by itself. */
  renew(): Promise<void>;
  /** Why `renew` can't be done, and what to do instead. */
  whyNotRenew(): string | undefined;
}
