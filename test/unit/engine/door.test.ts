import { describe, expect, test } from 'vitest';
import { hashOf } from '#domain/canonical.ts';
import { openTestHouse, type TestHouse } from '#test/fakes/house.ts';
import { smallCommands } from '#test/fixtures/small-commands.ts';

const minuteMs = 60_000;
const open = (): TestHouse =>
  openTestHouse({ commands: smallCommands, joined: ['alice', 'bob', 'carol', 'vera', 'judy'] });
const marks = (house: TestHouse) => house.room.messages().map(({ mark }) => mark);
const fresh = (house: TestHouse): number => house.ledger.inboxDepth();

describe('a word that is no command', () => {
  test('is told to whoever has a role, each time, with the near ones or where all are listed', async () => {
    await using house = open();
    for (let n = 0; n < 2; n += 1) {
      const near = (await house.say('carol', '!helo')).join();
      expect(near).toContain('There is no command "helo".');
      expect(near).toContain('Did you mean !hello?');
    }
    const far = (await house.say('carol', '!xylophone')).join();
    expect(far).toContain('There is no command "xylophone".');
    expect(far).toContain('!help lists all.');
    expect(fresh(house)).toBe(0);
  });

  test('is a stranger’s to another bot, unless one of ours is near: told once a minute', async () => {
    await using house = open();
    expect(await house.say('judy', '!xylophone')).toEqual([]);
    expect((await house.say('judy', '!helo')).join()).toContain('Did you mean !hello?');
    expect(await house.say('judy', '!helo')).toEqual([]);
    await house.pass(minuteMs - 1000);
    expect(await house.say('judy', '!helo')).toEqual([]);
    await house.pass(2000);
    expect((await house.say('judy', '!helo')).join()).toContain('Did you mean !hello?');
    expect(fresh(house)).toBe(0);
  });

  test('is no word at all: silence, for those with a role too', async () => {
    await using house = open();
    for (const line of ['!!!', '!?', '!1984', '!Xylophone…x', '!ab'])
      expect(await house.say('carol', line)).toEqual([]);
    expect(fresh(house)).toBe(0);
  });
});

describe('what the room hears', () => {
  test('of a query: a reply that says which and how it ended', async () => {
    await using house = open();
    await house.say('vera', '!hello');
    expect(marks(house)).toEqual([expect.objectContaining({ kind: 'reply', command: 'hello', outcome: 'done' })]);
    expect(fresh(house)).toBe(0);
  });

  test('of a dry run: the same, nothing is begun, also while changes are paused', async () => {
    await using house = open();
    house.ledger.commit({
      at: 1,
      switches: [{ name: 'paused', value: { by: '@alice:example.org', reason: 'x', since: 1 } }],
    });
    await house.say('carol', '!remove --dry-run mallory spam');
    expect(marks(house)).toEqual([expect.objectContaining({ kind: 'reply', command: 'remove', outcome: 'done' })]);
    expect(house.states()).toEqual([]);
    expect(fresh(house)).toBe(0);
  });

  test('of a change that nobody has to confirm: its audit begins with the plan and its hash', async () => {
    await using house = open();
    await house.say('carol', '!tick');
    const [begun] = house.ledger.audit({ act: 'tick' }).filter(({ outcome }) => outcome === 'begun');
    expect(begun?.detail).toMatchObject({ detail: { plan: {}, hash: hashOf(['tick', {}]) } });
  });

  test('of a target that is never one: why, and who else could', async () => {
    await using house = open();
    const said = (await house.say('carol', '!remove carol spam')).join();
    expect(said).toContain('You cannot be your own target.');
    expect(said).toContain('Ask another operator.');
    expect(marks(house)).toEqual([expect.objectContaining({ kind: 'reply', command: 'remove', outcome: 'refused' })]);
  });
});
