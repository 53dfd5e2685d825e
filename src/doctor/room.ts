import { OpsError } from '#domain/errors.ts';
import { opennessOf } from '#domain/open-room.ts';
import { isRoomAlias, parseRoomId, type RoomId } from '#domain/rooms.ts';
import { connect } from '#adapters/matrix/client.ts';
import type { Synapse } from '#adapters/synapse/open.ts';
import type { Settings } from '../settings.ts';
import { dependent, type Finding, type Look, shared, warning, well, wrong } from './finding.ts';
import type { Known } from './homeserver.ts';

type StateEvent = { type: string; state_key: string; sender: string; content: Record<string, unknown> };
type State = (type: string, key?: string) => StateEvent | undefined;
type Entered = { room: RoomId; state: State };

/** The ops room as the bot sees it. Only reads: whoever asks what is wrong must not change it. */
export function roomLooks({ matrix, people }: Settings, synapse: Synapse, known: Known): Look[] {
  const { request } = connect({ homeserverUrl: matrix.homeserverUrl, accessToken: matrix.accessToken.reveal() });
  const find = shared(async (): Promise<RoomId> => {
    await known.homeserver();
    if (!isRoomAlias(matrix.opsRoom)) return parseRoomId(matrix.opsRoom);
    const path = `/_matrix/client/v3/directory/room/${encodeURIComponent(matrix.opsRoom)}`;
    return parseRoomId(String((await request('GET', path))['room_id']));
  });
  const enter = shared(async (): Promise<Entered> => {
    const room = await find();
    const events = await request('GET', `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/state`);
    const list = events as unknown as StateEvent[];
    return { room, state: (type, key = '') => list.find((event) => event.type === type && event.state_key === key) };
  });
  const inside =
    (look: (entered: Entered) => Finding): (() => Promise<Finding>) =>
    async () => {
      await known.homeserver();
      const dead = (error: unknown): boolean => error instanceof OpsError && error.kind === 'misconfigured';
      const why = await enter().then(
        () => '',
        (error: unknown) => (dead(error) ? 'the bot token does not work' : 'the bot is not in the room'),
      );
      return look(await dependent(enter(), why));
    };
  return [
    {
      part: 'ops room',
      async look() {
        const entered = await enter().catch(async (error: unknown) => {
          throw await whyOutside(error, matrix, synapse, find);
        });
        return maySpeak(matrix, entered);
      },
    },
    { part: 'encryption', look: inside(({ state }) => encryption(matrix, state)) },
    { part: 'privacy', look: inside(({ state }) => privacy(state)) },
    {
      part: 'owners',
      look: inside(({ state }) => {
        const owners = people.filter((person) => person.role === 'owner');
        const isIn = owners.some(({ user }) => state('m.room.member', user)?.content['membership'] === 'join');
        const names = owners.map(({ user }) => user).join(', ');
        return isIn
          ? well('at least one is in the ops room')
          : warning(
              `${names} not in the ops room: nobody can be asked there`,
              'Accept the invitation in your Matrix client.',
            );
      }),
    },
  ];
}

async function whyOutside(
  error: unknown,
  { userId, opsRoom }: Settings['matrix'],
  synapse: Synapse,
  find: () => Promise<RoomId>,
): Promise<unknown> {
  if (!(error instanceof OpsError)) return error;
  if (error.kind === 'misconfigured') return new OpsError('cancelled', 'not known: the bot token does not work');
  if (error.kind === 'notFound') {
    const hint = 'npm start -- init makes it; or change matrix.opsRoom.';
    return new OpsError('misconfigured', `There is no room ${opsRoom}.`, { hint });
  }
  if (error.kind !== 'denied') return error;
  const membership = await find()
    .then(async (room) => (await synapse.accounts.memberships(userId)).get(room))
    .catch(() => undefined);
  return membership === 'invite'
    ? new OpsError('denied', `The bot is invited to ${opsRoom} and not in it yet.`, {
        hint: 'It joins when it starts.',
      })
    : new OpsError('denied', `The bot is not in ${opsRoom}.`, {
        hint: `npm start -- mend lets it in; or invite ${userId} there.`,
      });
}

function maySpeak({ userId, opsRoom }: Settings['matrix'], { room, state }: Entered): Finding {
  const powers = state('m.room.power_levels')?.content ?? {};
  const number = (value: unknown, otherwise: number): number => (typeof value === 'number' ? value : otherwise);
  const of = (key: string): Record<string, unknown> => (powers[key] ?? {}) as Record<string, unknown>;
  const own = isCreator(userId, state) ? Infinity : number(of('users')[userId], number(powers['users_default'], 0));
  const needed = Math.max(
    ...['m.room.message', 'm.reaction'].map((type) => number(of('events')[type], number(powers['events_default'], 0))),
  );
  const name = opsRoom === room ? room : `${opsRoom}, ${room}`;
  if (own >= needed) return well(`${name}: the bot is in it and may speak`);
  return wrong(
    `The bot may not speak in ${opsRoom}: its power is ${own}, ${needed} is needed.`,
    `npm start -- mend does it; or give ${userId} power ${needed} there, in your Matrix client.`,
  );
}

/** From room version 12 on whoever made the room has power without limit and is in no list. */
function isCreator(user: string, state: State): boolean {
  const create = state('m.room.create');
  if (Number(create?.content['room_version'] ?? 1) < 12) return false;
  const more = create?.content['additional_creators'];
  return create?.sender === user || (Array.isArray(more) && more.includes(user));
}

function encryption({ encryption: mode }: Settings['matrix'], state: State): Finding {
  const encrypted = state('m.room.encryption') !== undefined;
  if (encrypted && mode === 'off') {
    return wrong(
      'The ops room is encrypted, and the settings say matrix.encryption: off: the bot hears no command there.',
      'Set it to auto.',
    );
  }
  if (!encrypted && mode === 'required') {
    return wrong(
      'The ops room is not encrypted, and the settings say matrix.encryption: required: commands are refused there.',
      "Switch encryption on in the room's settings, in your Matrix client. It cannot be switched off again.",
    );
  }
  return well(encrypted ? 'the ops room is encrypted' : 'the ops room is not encrypted');
}

function privacy(state: State): Finding {
  const faults = opennessOf({
    joinRule: state('m.room.join_rules')?.content['join_rule'],
    historyVisibility: state('m.room.history_visibility')?.content['history_visibility'],
    guestAccess: state('m.room.guest_access')?.content['guest_access'],
  });
  if (faults.length === 0) return well('the ops room is for invited people only');
  return warning(
    `the ops room is open: ${faults.join(', ')}`,
    "Close it in the room's settings, in your Matrix client.",
  );
}
