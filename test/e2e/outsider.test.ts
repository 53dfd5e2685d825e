import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadCommands } from '#src/app.ts';
import { installMs, OpsRoom } from '#test/ops-room.ts';

// Somebody who is in the room without a role.
let world: OpsRoom;
beforeAll(async () => {
  world = await OpsRoom.open({ parts: ['synapse'] });
  const { roomId } = world.seeded.opsRoom;
  const room = `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}`;
  await world.api('alice', 'POST', `${room}/invite`, { user_id: world.person('judy').userId });
  await world.api('judy', 'POST', `${room}/join`, {});
  await world.api(
    'admin',
    'POST',
    `/_synapse/admin/v1/users/${encodeURIComponent(world.person('judy').userId)}/override_ratelimit`,
    {
      messages_per_second: 0,
      burst_count: 0,
    },
  );
  await world.startBot();
}, installMs);
afterAll(() => world[Symbol.asyncDispose]());

const open = ['help', 'ping', 'version', 'whoami'];

test('what anybody may type is answered', async () => {
  for (const name of open)
    expect(await world.ask('judy', `!${name}`)).toMatchObject({ mark: { command: name, outcome: 'done' } });
  expect((await world.ask('judy', '!whoami')).body).toMatch(
    /no role.*\n+@alice:opsroom\.test can give you one by typing !people add @judy/s,
  );
});

test('everything else is refused, with who can give a role and the line to type', async () => {
  const commands = [...(await loadCommands())].filter(([name]) => !open.includes(name));
  expect(commands.length).toBeGreaterThan(30);
  const answers = await Promise.all(
    commands.map(async ([name, command]) => ({
      name,
      said: await world.ask('judy', `!${name} ${command.examples[0] ?? ''}`),
    })),
  );
  const wrong = answers.filter(
    ({ said }) =>
      said.mark?.outcome !== 'refused' ||
      !/@alice:opsroom\.test can type: !people add @judy:opsroom\.test \w+/.test(said.body),
  );
  expect(wrong.map(({ name, said }) => `${name}: ${said.body}`)).toEqual([]);
}, 120_000);
