import { expect, test } from 'vitest';
import calls from '#commands/calls.ts';
import { parseUserId } from '#domain/accounts.ts';
import { callRoomName } from '#domain/calls.ts';
import { OpsError } from '#domain/errors.ts';
import type { RoomAlias } from '#domain/rooms.ts';
import type { Caller } from '#engine/command.ts';
import { FakeCallServer } from '#test/fakes/calls.ts';
import { FakeClock } from '#test/fakes/clock.ts';
import { FakeRooms } from '#test/fakes/rooms.ts';

const alice = parseUserId('@alice:example.org');
const clock = new FakeClock();

/** What `!calls` shows, one line a call. */
async function shown(ports: { calls: FakeCallServer; rooms?: FakeRooms }): Promise<string[]> {
  if (calls.kind !== 'query') throw new Error('not a query');
  const data = await calls.answer({}, { clock, ...ports } as never, {} as Caller);
  const table = calls.view(data, {}, { clock } as never).blocks?.find((block) => block.kind === 'table');
  return (table?.kind === 'table' ? table.rows : []).map(([call]) => JSON.stringify(call));
}

test('calls are shown by the names of their rooms, whichever way LiveKit knows these', async () => {
  const [server, rooms] = [new FakeCallServer(clock), new FakeRooms()];
  const design = rooms.add({ name: 'Design', creator: alice });
  const support = rooms.add({ alias: '#support:example.org' as RoomAlias, creator: alice });
  server.join(design, '@alice:example.org:PHONE');
  server.join(callRoomName(support), '@alice:example.org:LAPTOP');
  server.join('x'.repeat(43), '@bob:example.org:PHONE');
  const stranger = JSON.stringify([{ code: 'x'.repeat(43) }]);
  expect(await shown({ calls: server, rooms })).toEqual(['"Design"', '"#support:example.org"', stranger]);
  // Names are a nicety: without them the calls are still listed.
  rooms.faults.fail('list', new OpsError('unavailable', 'Synapse is away.'));
  expect(await shown({ calls: server, rooms })).toHaveLength(3);
  expect(await shown({ calls: server })).toHaveLength(3);
});
