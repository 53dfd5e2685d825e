import type { UserId } from './accounts.ts';
import type { Json } from './canonical.ts';
import type { EpochMs } from './clock.ts';
import type { RoomId } from './rooms.ts';
import type { FoundSecrets } from './scrubber.ts';

/** How sure it is that the sender sent it. Set where it comes in, never later. */
export type Proof = 'signed-device' | 'unsigned-device' | 'clear' | 'reaction' | 'shell' | 'internal';

export type InboxBody =
  /** `breakGlass`: why what takes two people is to be done alone; from the shell only. */
  | { kind: 'message'; text: string; links: Array<{ href: string; text: string }>; breakGlass?: string }
  | { kind: 'reaction'; emoji: string; on: string }
  /** The sender changed or took back an earlier event: an open prompt of it ends. */
  | { kind: 'withdrawn'; event: string }
  /** A secret was written into the room: which, by name. The text itself is never stored. */
  | { kind: 'leaked'; secrets: FoundSecrets }
  /** Encrypted, and its key isn't here (yet): the event as it came, to be read when the key of its session comes. */
  | { kind: 'sealed'; session: string; why: string; event: Json }
  /** From a schedule or the shell: words already split. */
  | { kind: 'command'; command: string; args: { [key: string]: Json } };

/** Something that asks. `key` is unique per source: the Matrix event id, or the slot of a job. */
export type NewInboxItem = {
  source: 'matrix' | 'schedule' | 'shell';
  key: string;
  site: string;
  room: RoomId | undefined;
  /** The thread root, when it was said in a thread. */
  thread: string | undefined;
  sender: UserId;
  device: string | undefined;
  proof: Proof;
  body: InboxBody;
  sentAt: EpochMs;
  takenAt: EpochMs;
  /** How long before it was taken it was sent, at most, when the bot did not listen; 0 as a rule. */
  lateMs?: number;
};
export type InboxItem = NewInboxItem & {
  lateMs: number;
  id: number;
  state: 'new' | 'sealed' | 'done' | 'ignored';
  run: number | undefined;
};

/** That something came in which can't be read yet. */
export type SealedHead = Pick<InboxItem, 'key' | 'sender' | 'takenAt'>;

/** What the bot knows of a room from the sync: who is in it, who may what there, and who may look in. */
export type RoomFacts = {
  room: RoomId;
  joined: UserId[];
  encrypted: boolean;
  joinRule: string | undefined;
  version: string | undefined;
  /** Who made it, with those made its equals; undefined as long as that isn't known. */
  creators?: UserId[];
  /** m.room.power_levels; undefined when the room has none. */
  power?: { users: { [user: string]: number }; usersDefault: number };
  historyVisibility?: string;
  guestAccess?: string;
  /** It was upgraded: the room that took its place, as its tombstone says. */
  replacedBy?: string;
};

/** One batch of a stream: the items and the position commit together, so the position is never ahead of the items. */
export type Batch = {
  stream: string;
  position: string;
  /** When the stream was read this far. */
  at?: EpochMs;
  items: NewInboxItem[];
  /** What can't be read yet: kept as `sealed`, the newest two hundred of a room. */
  sealed?: NewInboxItem[];
  /** Sealed items that were taken back meanwhile: they are never read. */
  takenBack?: string[];
  /** Which state of the keys this was read with: the position of the stream `keys`. */
  keys?: string | undefined;
  rooms: RoomFacts[];
  /** What the bot said itself, by the outbox's transaction ids: an answer to it may come before the homeserver's own. */
  said?: Array<{ txn: string; event: string }>;
};
