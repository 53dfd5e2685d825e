import { describe, expect, test } from 'vitest';
import { idOf, openTestHouse, person, team, type TestHouse } from '#test/fakes/house.ts';
import type { World } from '#test/fakes/world.ts';
import { shellItem } from '#test/fixtures/shell-item.ts';
import { answers, remove } from '#test/fixtures/small-commands.ts';

const twoPerson = { commands: (world: World) => ({ ...answers(), remove: remove(world, { confirm: 'two-person' }) }) };
const type = async (house: TestHouse, name: string, text: string, reason?: string): Promise<void> => {
  house.take([shellItem(name, text, reason)]);
  await house.settle();
};

describe('without the second person', () => {
  test('from the shell, with a reason: the caller alone says yes, and every owner is called', async () => {
    const people = [...team, person('olga', 'owner')];
    await using house = openTestHouse({ ...twoPerson, people });
    await type(house, 'carol', '!remove mallory spam', 'bob is on a plane');
    const page = house.room.messages().find(({ mark }) => mark?.kind === 'page');
    expect(page).toMatchObject({ rings: true, mentions: [idOf('alice'), idOf('olga')] });
    expect(page?.text).toMatch(
      /remove @mallory.*asked for by @carol:example\.org.*without a second person.*bob is on a plane/s,
    );
    expect(house.question().text).toContain('Only @carol:example.org can answer');
    expect(house.world.done).toEqual([]);
    await type(house, 'carol', `!approve ${house.code()}`);
    expect(house.states()).toEqual(['done']);
    const asked = house.ledger.audit({ act: 'remove' }).find(({ outcome }) => outcome === 'asked');
    expect(asked?.detail).toMatchObject({ detail: { breakGlass: 'bob is on a plane', need: 'caller' } });
  });

  test('said in the room it is nothing: two people are needed', async () => {
    await using house = openTestHouse(twoPerson);
    const item = shellItem('carol', '!remove mallory spam', 'bob is on a plane');
    house.take([{ ...item, source: 'matrix', proof: 'clear', takenAt: house.clock.now() }]);
    await house.settle();
    expect(house.question().text).toContain('A second person');
    await house.approve('carol');
    expect(house.world.done).toEqual([]);
  });

  test('without a reason two people are needed, also from the shell', async () => {
    await using house = openTestHouse(twoPerson);
    await type(house, 'carol', '!remove mallory spam');
    await type(house, 'carol', `!approve ${house.code()}`);
    expect(house.states()).toEqual(['waiting']);
    await type(house, 'bob', `!approve ${house.code()}`);
    expect(house.states()).toEqual(['done']);
  });

  test('where one person is enough nobody is called', async () => {
    await using house = openTestHouse({ commands: (world) => ({ ...answers(), remove: remove(world) }) });
    await type(house, 'carol', '!remove mallory spam', 'in a hurry');
    expect(house.room.messages().filter(({ mark }) => mark?.kind === 'page')).toEqual([]);
    expect(house.run().breakGlass).toBeUndefined();
  });

  test('it gives no role and no other target', async () => {
    await using house = openTestHouse(twoPerson);
    await type(house, 'vera', '!remove mallory spam', 'please');
    await type(house, 'carol', '!remove carol spam', 'please');
    await type(house, 'carol', '!remove opsroom spam', 'please');
    expect(house.states()).toEqual([]);
  });
});

test('who answers from the shell need not be in the room', async () => {
  await using house = openTestHouse({ commands: (world) => ({ ...answers(), remove: remove(world) }) });
  await type(house, 'carol', '!remove mallory spam');
  house.leave('carol');
  await house.approve('carol');
  expect(house.states()).toEqual(['waiting']);
  await type(house, 'carol', `!approve ${house.code()}`);
  expect(house.states()).toEqual(['done']);
});
