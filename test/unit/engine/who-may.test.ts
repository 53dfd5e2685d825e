import { describe, expect, test } from 'vitest';
import { idOf, openTestHouse, opsRoom } from '#test/fakes/house.ts';
import { answers, hello, remove, tick } from '#test/fixtures/small-commands.ts';
import type { Command } from '#engine/command.ts';
import type { Condition } from '#domain/grants.ts';
import type { World } from '#test/fakes/world.ts';

const commands = (world: World): Record<string, Command> => ({
  ...answers(),
  hello: hello(),
  tick: tick(world),
  disable: remove(world),
  remove: remove(world),
});
const operators = { operator: { powerLevel: 50, grants: [] } };

describe('the power level, where the settings ask for one', () => {
  const power = (level: number) => () => ({
    creators: [idOf('alice')],
    power: { users: { [idOf('carol')]: level }, usersDefault: 0 },
  });

  test('is asked when it is typed, and again before it is done', async () => {
    await using house = openTestHouse({ commands, settings: { roles: operators } });
    expect((await house.say('carol', '!remove mallory spam')).join()).toContain('yours is not known yet');
    house.know(power(49));
    expect((await house.say('carol', '!remove mallory spam')).join()).toContain('from power level 50');
    house.know(power(50));
    await house.say('carol', '!remove mallory spam');
    house.know(power(0));
    expect((await house.react('carol', '✅')).join()).toContain('from power level 50');
    expect(house.states()).toEqual(['waiting']);
    expect(house.world.done).toEqual([]);
  });

  test('the caller’s is asked again after another one’s yes', async () => {
    await using house = openTestHouse({
      commands: (world) => ({ ...answers(), remove: remove(world, { confirm: 'two-person' }) }),
      settings: { roles: operators },
    });
    house.know(power(50));
    await house.say('carol', '!remove mallory spam');
    house.know(power(0));
    await house.react('alice', '✅');
    expect(house.states()).toEqual(['refused']);
    expect(house.world.done).toEqual([]);
  });

  test('who made a version 12 room has it without being listed', async () => {
    await using house = openTestHouse({ commands, settings: { roles: operators } });
    house.know(power(0));
    await house.say('alice', '!tick');
    expect(house.states()).toEqual(['done']);
  });
});

describe('an encrypted room', () => {
  test('takes nothing that came in the clear or from an unverified device', async () => {
    await using house = openTestHouse({ commands });
    house.know(() => ({ encrypted: true }));
    expect((await house.say('carol', '!hello')).join()).toContain('This came unencrypted');
    house.proof = 'unsigned-device';
    expect((await house.say('carol', '!tick')).join()).toContain('not verified by its owner');
    house.proof = 'signed-device';
    expect((await house.say('carol', '!hello')).join()).toContain('hello world');
    expect(house.world.done).toEqual([]);
  });

  test('the same in a clear room when the settings want every command encrypted', async () => {
    const close = (world: World): Command => remove(world, { confirm: 'two-person', undo: 'none' });
    const two = (world: World): Record<string, Command> => ({ ...commands(world), close: close(world) });
    await using house = openTestHouse({ commands: two, settings: { encryptedOnly: true } });
    expect((await house.say('carol', '!hello')).join()).toContain('This came unencrypted');
    house.proof = 'signed-device';
    await house.say('alice', '!close mallory spam');
    expect(house.question().text).toContain('A ✅ is not enough here');
    await house.react('bob', '✅');
    expect(house.states()).toEqual(['waiting']);
    expect(house.world.done).toEqual([]);
  });

  test('what was asked before it was encrypted is not done after', async () => {
    await using house = openTestHouse({ commands });
    await house.say('carol', '!remove mallory spam');
    house.know(() => ({ encrypted: true }));
    await house.react('carol', '✅');
    expect(house.states()).toEqual(['refused']);
    expect(house.world.done).toEqual([]);
  });
});

describe('acts of one human in an hour', () => {
  const settings = { limits: { users: 5, rooms: 10, perHour: 3 } };

  test('above the limit take two people, by whichever account; an emergency does not; an hour later it is over', async () => {
    await using house = openTestHouse({ commands, settings });
    for (const name of ['alice', 'alice-admin', 'alice']) await house.say(name, '!tick');
    expect(house.states()).toEqual(['done', 'done', 'done']);
    expect((await house.say('alice-admin', '!tick')).join()).toContain('second person');
    expect(house.question().mentions).toEqual([idOf('bob')]);
    await house.say('alice', '!disable mallory spam');
    expect(house.question().text).toContain('Only @alice:example.org can answer');
    expect(house.states()).toEqual(['done', 'done', 'done', 'waiting', 'waiting']);
    await house.say('bob', '!tick');
    expect(house.states().at(-1)).toBe('done');
    await house.pass(3_600_001);
    await house.say('alice', '!tick');
    expect(house.states().at(-1)).toBe('done');
  });

  test('what was refused or never confirmed is no act', async () => {
    await using house = openTestHouse({ commands, settings });
    for (let n = 0; n < 4; n += 1) {
      await house.say('carol', '!remove mallory spam');
      await house.react('carol', '❌');
    }
    await house.say('carol', '!tick');
    expect(house.states().at(-1)).toBe('done');
  });
});

describe('grants', () => {
  const grant = (command: string, ...unless: Condition[]) => ({ operator: { grants: [{ command, unless }] } });

  test('the caller of a granted command confirms it with the lesser role; where it does not hold it is refused', async () => {
    await using house = openTestHouse({
      commands: (world) => ({ ...answers(), remove: remove(world, { role: 'admin' }) }),
      settings: { roles: grant('remove', 'target-person') },
    });
    expect((await house.say('carol', '!remove vera spam')).join()).toContain('but not on somebody with a role');
    await house.say('carol', '!remove mallory spam');
    await house.react('carol', '✅');
    expect(house.states()).toEqual(['done']);
  });

  test('of what is no command give nothing, and that is said at the start', async () => {
    await using house = openTestHouse({ commands, settings: { roles: grant('remvoe') } });
    expect(house.log.messages('warn').join()).toContain('a grant names no command');
    await using right = openTestHouse({ commands, settings: { roles: grant('remove') } });
    expect(right.log.messages('warn')).toEqual([]);
  });
});

test('the bot’s own rooms take two people', async () => {
  const room = '!probe:example.org';
  const touching = (world: World): Record<string, Command> => ({
    ops: tick(world, { prepare: () => ({ plan: {}, facts: undefined, touches: { rooms: [opsRoom] } }) }),
    probe: tick(world, { prepare: () => ({ plan: {}, facts: undefined, touches: { rooms: [room as never] } }) }),
  });
  await using house = openTestHouse({ commands: touching });
  expect((await house.say('alice', '!ops')).join()).toContain('second person');
  await house.say('alice', '!probe');
  expect(house.states().at(-1)).toBe('done');
  house.ledger.commit({ at: 1, switches: [{ name: 'probe-room', value: room }] });
  expect((await house.say('alice', '!probe')).join()).toContain('second person');
});
