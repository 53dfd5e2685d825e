import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadCommands } from '#src/app.ts';
import { BotMemory } from '#test/fixtures/bot-memory.ts';
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

test('everything else is refused, with who can give a role and the line to type; who goes on is left unanswered, and written down', async () => {
  const commands = [...(await loadCommands())].filter(([name]) => !open.includes(name));
  expect(commands.length).toBeGreaterThan(30);
  const lines = commands.map(([name, command]) => `!${name} ${command.examples[0] ?? ''}`);
  for (const line of lines.slice(0, 5)) {
    const said = await world.ask('judy', line);
    expect(said.mark?.outcome, line).toBe('refused');
    expect(said.body, line).toMatch(/@alice:opsroom\.test can type: !people add @judy:opsroom\.test \w+/);
  }
  const { body } = await world.ask('judy', lines[5] ?? '');
  expect(body).toContain('gets no answer');
  const unanswered = await Promise.all(lines.slice(6).map((line) => world.say('judy', line)));
  // What they may is answered as ever, after all that was said before.
  expect(await world.ask('judy', '!ping')).toMatchObject({ mark: { outcome: 'done' } });
  using memory = new BotMemory(world.dataDir);
  const sql = `SELECT DISTINCT act FROM audit WHERE actor = ? AND outcome = 'denied'`;
  await expect
    .poll(
      () =>
        memory
          .all<{ act: string }>(sql, world.person('judy').userId)
          .map(({ act }) => act)
          .toSorted(),
      {
        timeout: 30_000,
      },
    )
    .toEqual(commands.map(([name]) => name).toSorted());
  const heard = world.room.events.filter((said) => said.sender === world.bot && unanswered.includes(said.root ?? ''));
  expect(heard.map((said) => said.body)).toEqual([]);
}, 120_000);
