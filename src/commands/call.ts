import { callRoomName, isHashedIdentity } from '#domain/calls.ts';
import { ago } from '#domain/duration.ts';
import { isRoomAlias, type RoomId } from '#domain/rooms.ts';
import { RoomRef, z } from '#engine/args.ts';
import { defineQuery } from '#engine/command.ts';

export default defineQuery({
  summary: 'Show who is in the call of a room, and what they send.',
  examples: ['#team:example.org'],
  args: z.strictObject({ room: RoomRef }),
  positional: ['room'],
  role: 'viewer',
  needs: ['calls', 'rooms'],
  async answer({ room }, { calls, rooms, clock }) {
    const id = isRoomAlias(room) ? await rooms.resolve(room) : (await rooms.get(room as RoomId)).room;
    // Old versions of lk-jwt-service name the call as the room; new ones by its hash.
    const names = [callRoomName(id), id, room];
    for (const name of names) {
      const participants = await calls.participants(name);
      if (participants.length > 0) return { room, name, participants, now: clock.now() };
    }
    return { room, name: undefined, participants: [], now: clock.now() };
  },
  view: ({ room, participants, now }) => {
    if (participants.length === 0) return { title: ['Nobody is in a call in ', { code: room }, '.'] };
    const unknown = participants.filter((participant) => isHashedIdentity(participant.identity)).length;
    return {
      title: [`${participants.length} in the call of `, { code: room }, '.'],
      blocks: [
        {
          kind: 'table',
          head: ['who', 'since', 'sends'],
          rows: participants.map((participant) => [
            [{ code: participant.identity }],
            ago(participant.joinedAt, now),
            participant.tracks.map((track) => (track.muted ? `${track.kind} (muted)` : track.kind)).join(', ') ||
              'nothing',
          ]),
        },
        ...(unknown > 0
          ? [
              {
                kind: 'text' as const,
                lines: [`${unknown} under a hashed identity: LiveKit does not tell who that is.`],
              },
            ]
          : []),
      ],
    };
  },
});
