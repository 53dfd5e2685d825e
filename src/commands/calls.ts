import { ago } from '#domain/duration.ts';
import { none } from '#engine/args.ts';
import { defineQuery } from '#engine/command.ts';

export default defineQuery({
  summary: 'List the running calls and who is in them.',
  examples: [''],
  args: none,
  role: 'viewer',
  needs: ['calls'],
  wants: ['takings'],
  async answer(_args, { calls, takings, clock }) {
    const rooms = await calls.rooms();
    const lists = await Promise.all(rooms.map((room) => calls.participants(room.name)));
    return {
      now: clock.now(),
      banned: takings?.held().map((hold) => hold.user) ?? [],
      running: rooms.flatMap((room, index) => {
        const participants = lists[index] ?? [];
        return participants.length === 0 ? [] : [{ room, participants }];
      }),
    };
  },
  view: ({ running, banned, now }) => {
    const people = running.reduce((sum, call) => sum + call.participants.length, 0);
    return {
      title:
        running.length === 0
          ? 'No call is running.'
          : `${running.length} call${running.length === 1 ? '' : 's'}, ${people} participants.`,
      blocks: [
        ...(running.length === 0
          ? []
          : [
              {
                kind: 'table' as const,
                head: ['call', 'since', 'who', 'tracks'],
                rows: running.map(({ room, participants }) => [
                  [{ code: room.name }],
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
