import { z } from 'zod';
import type { Account, AccountSummary, Device } from '#domain/accounts.ts';
import type { EpochMs } from '#domain/clock.ts';
import type { UserId } from '#domain/accounts.ts';
import type { Room, RoomId } from '#domain/rooms.ts';

// What Synapse answers, as far as it is used. Lenient where versions differ: a missing flag is a flag that isn't set.

const flag = z.union([z.boolean(), z.number()]).nullish();
const text = z.string().nullish();
const time = z.number().nullish();

export const whoamiAnswer = z.object({ user_id: z.string(), device_id: text });

const summary = z.object({
  name: z.string(),
  displayname: text,
  admin: flag,
  deactivated: flag,
  locked: flag,
  creation_ts: z.number(),
  last_seen_ts: time,
});

export const accountAnswer = summary.extend({
  erased: flag,
  suspended: flag,
  shadow_banned: flag,
  appservice_id: text,
  threepids: z.array(z.object({ medium: z.string(), address: z.string() })).nullish(),
});

export const accountsAnswer = z.object({
  users: z.array(summary),
  total: z.number(),
  next_token: z.string().nullish(),
});

export const devicesAnswer = z.object({
  devices: z.array(
    z.object({ device_id: z.string(), display_name: text, last_seen_ts: time, last_seen_ip: text, dehydrated: flag }),
  ),
});

export const membershipsAnswer = z.object({
  memberships: z.record(z.string(), z.enum(['join', 'invite', 'knock', 'leave', 'ban'])),
});

export const rateLimitAnswer = z.object({
  messages_per_second: z.number().nullish(),
  burst_count: z.number().nullish(),
});

export const roomAnswer = z.object({
  room_id: z.string(),
  name: text,
  canonical_alias: text,
  joined_members: z.number(),
  joined_local_members: z.number(),
  version: text,
  creator: text,
  encryption: text,
  join_rules: text,
  public: flag,
});

export const roomsAnswer = z.object({ rooms: z.array(roomAnswer), total_rooms: z.number() });
export const roomMembersAnswer = z.object({ members: z.array(z.string()) });

/**
 * `creation_ts` is in seconds in the answer for one account and in milliseconds in lists (synapse #2511). The size tells
 * which: 1e11 s is the year 5138, 1e11 ms is 1973.
 */
export const creationMs = (value: number): EpochMs => (value < 1e11 ? value * 1000 : value);

const given = (value: string | null | undefined): string | undefined => (value ? value : undefined);

export const toSummary = (answer: z.infer<typeof summary>): AccountSummary => ({
  user: answer.name as UserId,
  displayName: given(answer.displayname),
  admin: Boolean(answer.admin),
  deactivated: Boolean(answer.deactivated),
  locked: Boolean(answer.locked),
  createdAt: creationMs(answer.creation_ts),
  lastSeenAt: answer.last_seen_ts ?? undefined,
});

export const toAccount = (answer: z.infer<typeof accountAnswer>): Account => ({
  ...toSummary(answer),
  erased: Boolean(answer.erased),
  suspended: Boolean(answer.suspended),
  shadowBanned: Boolean(answer.shadow_banned),
  appService: given(answer.appservice_id),
  emails: (answer.threepids ?? []).filter((id) => id.medium === 'email').map((id) => id.address),
});

export const toDevice = (answer: z.infer<typeof devicesAnswer>['devices'][number]): Device => ({
  id: answer.device_id,
  displayName: given(answer.display_name),
  lastSeenAt: answer.last_seen_ts ?? undefined,
  lastSeenIp: given(answer.last_seen_ip),
});

export const toRoom = (answer: z.infer<typeof roomAnswer>): Room => ({
  room: answer.room_id as RoomId,
  name: given(answer.name),
  alias: given(answer.canonical_alias),
  joinedMembers: answer.joined_members,
  joinedLocalMembers: answer.joined_local_members,
  version: answer.version ?? '1',
  creator: given(answer.creator) as UserId | undefined,
  encrypted: given(answer.encryption) !== undefined,
  joinRule: given(answer.join_rules),
  public: Boolean(answer.public),
});
