import type { UserId } from '#domain/accounts.ts';
import { OpsError } from '#domain/errors.ts';
import type { RoomId } from '#domain/rooms.ts';
import { Secret } from '#domain/secret.ts';
import { powerOf } from '#domain/standing.ts';
import { part, refused } from '../init/homeserver.ts';
import type { Act, Check, Fault } from './fault.ts';
import { levelFor, neededFor, roomState, type RoomState, whoCan } from './room-power.ts';
import type { MendWorld } from './world.ts';

const puppetForMs = 600_000;
const said = ['m.room.message', 'm.room.encrypted', 'm.reaction'];

/** In the room: joined, invited, gone, banned. */
export const memberCheck = (world: MendWorld): Check => ({
  part: 'ops room',
  async look(): Promise<Fault | undefined> {
    const room = await world.room();
    const name = world.settings.matrix.opsRoom;
    const invite = `In your Matrix client, in ${name}, type: /invite ${world.bot}`;
    if (world.admin === undefined) return blindly(world, room, invite);
    const state = await roomState(world, room);
    const { membership } = state;
    if (membership === 'join') return undefined;
    const banned = membership === 'ban';
    if (membership === 'invite' || (!banned && state.facts.joinRule === 'public')) {
      const act = { title: `join ${name}`, run: () => join(world, room) };
      return { what: `the bot is not in ${name}${membership === 'invite' ? ', but invited' : ''}`, act, person: [] };
    }
    const person = banned ? [`In your Matrix client, in ${name}, type: /unban ${world.bot}`, invite] : [invite];
    return {
      what: `the bot is ${banned ? 'banned from' : 'not in'} ${name}`,
      act: await letIn(world, room, state),
      person,
    };
  },
});

/** With the bot's own token alone: an invitation or an open door can be tried, and a refusal tells the rest. */
async function blindly(world: MendWorld, room: RoomId, invite: string): Promise<Fault | undefined> {
  const doing = 'look whether the bot is in the ops room';
  const joined = await world.asBot({ method: 'GET', path: '/_matrix/client/v3/joined_rooms', doing });
  if (!joined.ok) throw new OpsError('cancelled', 'not known without a token');
  if ((joined.data['joined_rooms'] as string[]).includes(room)) return undefined;
  const act = { title: `join ${room}`, run: () => join(world, room) };
  return { what: 'the bot is not in the ops room', act, person: [invite] };
}

async function join(world: MendWorld, room: RoomId): Promise<string> {
  const doing = `join ${world.settings.matrix.opsRoom}`;
  const path = `/_matrix/client/v3/rooms/${part(room)}/join`;
  const answer = await world.asBot({ method: 'POST', path, body: {}, doing });
  if (!answer.ok) throw refused(doing, answer);
  return `the bot is in ${world.settings.matrix.opsRoom}`;
}

/** Somebody in the room lets it in: for a moment the bot acts as them, which the admin token allows. */
async function letIn(world: MendWorld, room: RoomId, state: RoomState): Promise<Act | undefined> {
  const banned = state.membership === 'ban';
  const needed = levelFor(state.levels, 'invite');
  const unban = Math.max(levelFor(state.levels, 'ban'), levelFor(state.levels, 'kick'));
  const helper = await whoCan(world, state, banned ? Math.max(needed, unban) : needed);
  if (helper === undefined) return undefined;
  const what = banned ? 'lift the ban of the bot and invite it' : 'invite the bot';
  const run = async (): Promise<string> => {
    const target = { user_id: world.bot };
    await actAs(world, helper, async (send) => {
      if (banned) await send('POST', `rooms/${part(room)}/unban`, target);
      await send('POST', `rooms/${part(room)}/invite`, target);
    });
    return `${await join(world, room)}; ${helper} is shown as who invited it`;
  };
  return { title: `act as ${helper} for a moment to ${what}, then join`, run };
}

/** Enough power to speak. */
export const powerCheck = (world: MendWorld): Check => ({
  part: 'power',
  async look(): Promise<Fault | undefined> {
    if (world.admin === undefined) return undefined;
    const room = await world.room();
    const state = await roomState(world, room);
    const needed = neededFor(state.levels, said);
    const own = powerOf(state.facts, world.bot) ?? 0;
    if (state.membership !== 'join' || own >= needed) return undefined;
    const name = world.settings.matrix.opsRoom;
    return {
      what: `the bot may not speak in ${name}: its power is ${own}, ${needed} is needed`,
      act: await empower(world, room, state, needed),
      person: [`In your Matrix client, in ${name}, type: /op ${world.bot} ${needed}`],
    };
  },
});

async function empower(world: MendWorld, room: RoomId, state: RoomState, needed: number): Promise<Act | undefined> {
  const least = Math.max(needed, neededFor(state.levels, ['m.room.power_levels'], true));
  const helper = await whoCan(world, state, least);
  if (helper === undefined) return undefined;
  const run = async (): Promise<string> => {
    // As it is now: a moment ago somebody may have changed another level.
    const { levels } = await roomState(world, room);
    const users = { ...(levels['users'] as Record<string, number> | undefined), [world.bot]: needed };
    await actAs(world, helper, (send) =>
      send('PUT', `rooms/${part(room)}/state/m.room.power_levels`, { ...levels, users }),
    );
    return `the bot has power ${needed}`;
  };
  return { title: `act as ${helper} for a moment to give the bot power ${needed}`, run };
}

type Send = (method: 'POST' | 'PUT', path: string, body: Record<string, unknown>) => Promise<void>;

/** A login-as token: it ends with this, and by itself after ten minutes. */
async function actAs(world: MendWorld, user: UserId, act: (send: Send) => Promise<void>): Promise<void> {
  const body = { valid_until_ms: Math.floor(world.clock.now() + puppetForMs) };
  const path = `/_synapse/admin/v1/users/${part(user)}/login`;
  const answer = await world.asAdmin({ method: 'POST', path, body, doing: `act as ${user}` });
  const token = world.keep(new Secret(String(answer['access_token'])), `login as ${user}`);
  const send: Send = async (method, rest, content) => {
    const doing = `act as ${user}`;
    await world.client.must({ method, path: `/_matrix/client/v3/${rest}`, token, body: content, doing });
  };
  try {
    await act(send);
  } finally {
    await send('POST', 'logout', {}).catch(() => undefined);
  }
}

/** Says something that no client shows, and reads it back: so the bot can speak. Throws when it can't. */
export async function proveRoundTrip(world: MendWorld): Promise<void> {
  const room = await world.room();
  const base = `/_matrix/client/v3/rooms/${part(room)}`;
  const txn = `mend${Math.floor(world.clock.now())}`;
  const token = world.botToken;
  const content = { v: 1, at: world.clock.now() };
  const sent = await world.client.must({
    method: 'PUT',
    path: `${base}/send/org.opsroom.mended/${txn}`,
    token,
    body: content,
    doing: 'speak in the ops room',
  });
  const event = part(String(sent['event_id']));
  const back = await world.client.must({ method: 'GET', path: `${base}/event/${event}`, token, doing: 'hear itself' });
  if ((back['content'] as { at?: number } | undefined)?.at === content.at) return;
  throw new OpsError('unavailable', 'What the bot says in the ops room does not come back.');
}
