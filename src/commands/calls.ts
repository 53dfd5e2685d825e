import { counted } from '#domain/counted.ts';
import { ago } from '#domain/duration.ts';
import { callRoomName } from '#domain/calls.ts';
import type { Rooms } from '#domain/rooms.ts';
import { none } from '#engine/args.ts';
import { defineQuery } from '#engine/command.ts';

// A server with more rooms than this has its calls shown as LiveKit names them.
const mostRooms = 5000;
const page = 500;

/** What people call the rooms of calls, by LiveKit's name of them: the room's id, or a hash of it. */
async function namesOf(rooms: Rooms | undefined, wanted: readonly string[]): Promise<Map<string, string>> {
  const names = new Map<string, string>();
  const left = new Set(wanted);
  for (let from = 0; rooms !== undefined && left.size > 0 && from < mostRooms; from += page) {
    const list = await rooms.list({ from, limit: page }).catch(() => undefined);
    for (const { room, name, alias } of list?.rooms ?? []) {
      for (const known of [room, callRoomName(room)]) {
        if (left.delete(known)) names.set(known, name ?? alias ?? room);
      }
    }
    if (list === undefined || from + page >= list.total) break;
  }
  return names;
}

export default defineQuery({
  summary: 'List the running calls and who is in them.',
  examples: [''],
  args: none,
  role: 'viewer',
  needs: ['calls'],
  wants: ['takings', 'rooms'],
  async answer(_args, { calls, takings, rooms: matrix, clock }) {
    const rooms = await calls.rooms();
    const lists = await Promise.all(rooms.map((room) => calls.participants(room.name)));
    const busy = rooms.filter((_room, index) => (lists[index] ?? []).length > 0).map(({ name }) => name);
    const names = await namesOf(matrix, busy);
    return {
      now: clock.now(),
      banned: takings?.held().map((hold) => hold.user) ?? [],
      running: rooms.flatMap((room, index) => {
        const participants = lists[index] ?? [];
        return participants.length === 0 ? [] : [{ room, called: names.get(room.name), participants }];
      }),
    };
  },
  view: ({ running, banned, now }) => {
    const people = running.reduce((sum, call) => sum + call.participants.length, 0);
    return {
      title:
        running.length === 0
          ? 'No call is running.'
          : `${counted(running.length, 'call')}, ${counted(people, 'participant')}.`,
      blocks: [
        ...(running.length === 0
          ? []
          : [
              {
                kind: 'table' as const,
                head: ['call', 'since', 'who', 'tracks'],
                rows: running.map(({ room, called, participants }) => [
                  called ?? [{ code: room.name }],
                  ago(room.startedAt, now),
                  participants.map((participant) => participant.identity).join(', '),
                  String(participants.reduce((sum, participant) => sum + participant.tracks.length, 0)),
                ]),
              },
            ]),
        ...(banned.length === 0 ? [] : [{ kind: 'text' as const, lines: [`Kept out of calls: ${banned.join(', ')}`] }]),
      ],
    };
  },
});
