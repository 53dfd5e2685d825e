import { describe, expect, test } from 'vitest';
import type { Touches } from '#domain/runs.ts';
import { idOf, openTestHouse, person, team, type TestHouse } from '#test/fakes/house.ts';
import type { World } from '#test/fakes/world.ts';
import { answers, remove, smallCommands } from '#test/fixtures/small-commands.ts';

const minuteMs = 60_000;
const asked = async (options: Parameters<typeof openTestHouse>[0] = {}): Promise<TestHouse> => {
  const house = openTestHouse({ commands: smallCommands, ...options });
  await house.say('carol', '!remove mallory spam');
  return house;
};
const untouched = (house: TestHouse): void => expect(house.world.done).toEqual([]);

describe('asking first', () => {
  test('the question says what, on whom, who may answer, until when, and how to type it', async () => {
    await using house = await asked();
    const { text, mark, rings, mentions, thread, id } = house.question();
    expect(text).toContain('Remove @mallory:example.org: spam?');
    expect(text).toContain('Only @carol:example.org can answer, within 5 min');
    expect(text).toContain(`!approve ${house.code()}`);
    expect(mark).toMatchObject({ kind: 'prompt', run: 'r1', command: 'remove', outcome: 'waiting' });
    expect(house.code()).toMatch(/^[0-9a-f]{4,}$/);
    expect([rings, mentions, thread]).toEqual([false, [], house.lastTyped]);
    expect(house.room.reactionsOn(id)).toEqual(['✅', '❌']);
  });

  test('unconfirmed nothing is changed, however long it waits', async () => {
    await using house = await asked();
    expect(house.states()).toEqual(['waiting']);
    await house.pass(6 * minuteMs);
    untouched(house);
    expect(house.states()).toEqual(['expired']);
    expect(house.last()).toContain('Nobody answered in time; nothing was done.');
  });

  test.each(['✅', '☑️', '✔️', '✅\ufe0f'])('the caller says yes by %s', async (emoji) => {
    await using house = await asked();
    await house.react('carol', emoji);
    expect(house.states()).toEqual(['done']);
  });

  test('the caller says yes by typing, in either case', async () => {
    await using house = await asked();
    await house.approve('carol', house.code().toUpperCase());
    expect(house.states()).toEqual(['done']);
  });

  test.each(['👍', '🎉', '👀'])('%s is no answer', async (emoji) => {
    await using house = await asked();
    expect(await house.react('carol', emoji)).toEqual([]);
    expect(house.states()).toEqual(['waiting']);
  });

  test('a reaction on another event is no answer, nor is one on the command', async () => {
    await using house = await asked();
    await house.react('carol', '✅', house.lastTyped);
    await house.react('carol', '✅', '$unknown');
    expect(house.states()).toEqual(['waiting']);
  });

  test.each([
    ['bob', 'Only @carol:example.org, who asked, may answer this.'],
    ['vera', 'Answering this needs the role operator.'],
    ['mallory', 'Only somebody who is in the ops room may answer.'],
  ])('%s cannot answer for the caller', async (name, why) => {
    await using house = await asked();
    expect((await house.react(name, '✅')).join()).toContain(why);
    expect(house.states()).toEqual(['waiting']);
    untouched(house);
    expect(house.ledger.audit({ act: 'remove' })[0]).toMatchObject({ outcome: 'vote refused', actor: idOf(name) });
  });

  test('denied: nothing is done and the question is over', async () => {
    await using house = await asked();
    const code = house.code();
    await house.react('carol', '❌');
    expect(house.states()).toEqual(['denied']);
    expect((await house.approve('carol', code)).join()).toContain('closed (denied)');
    untouched(house);
  });

  test('expired: the code works no more', async () => {
    await using house = await asked();
    const code = house.code();
    await house.pass(5 * minuteMs + 1000);
    expect((await house.approve('carol', code)).join()).toContain('closed (expired)');
    await house.react('carol', '✅');
    untouched(house);
  });

  test('a minute past its end it is expired, even if no tick has told so', async () => {
    await using house = await asked();
    house.clock.setWall(house.clock.now() + 5 * minuteMs);
    expect((await house.approve('carol')).join()).toContain('has expired');
    untouched(house);
  });

  test('a code that was used is used up', async () => {
    await using house = await asked();
    const code = house.code();
    await house.approve('carol', code);
    const done = house.world.done.length;
    expect((await house.approve('carol', code)).join()).toContain('closed (granted)');
    await house.react('carol', '✅');
    expect(house.world.done).toHaveLength(done);
    expect(house.states()).toEqual(['done']);
  });

  test('a code nobody gave is unknown', async () => {
    await using house = await asked();
    expect((await house.approve('carol', 'ffff')).join()).toContain('There is no question ffff.');
    expect((await house.approve('carol', house.code().slice(0, 3))).join()).toContain('There is no question');
    untouched(house);
  });

  test('two questions of the same plan have two codes', async () => {
    await using house = await asked();
    const first = house.code();
    await house.say('carol', '!remove mallory spam');
    expect(house.code()).not.toBe(first);
  });
});

describe('the command taken back', () => {
  test('edited: its question ends', async () => {
    await using house = await asked();
    const command = house.lastTyped;
    await house.edit('carol', command, '!remove bob spam');
    expect(house.states()).toEqual(['cancelled']);
    await house.react('carol', '✅');
    untouched(house);
  });

  test('redacted: its question ends', async () => {
    await using house = await asked();
    await house.redact('carol', house.lastTyped);
    expect(house.states()).toEqual(['cancelled']);
    await house.react('carol', '✅');
    untouched(house);
  });

  test('somebody else cannot take it back', async () => {
    await using house = await asked();
    const command = house.lastTyped;
    await house.edit('mallory', command, 'x');
    await house.redact('mallory', command);
    expect(house.states()).toEqual(['waiting']);
  });

  test('!cancel ends it, once', async () => {
    await using house = await asked();
    await house.say('carol', '!cancel 1');
    expect(house.states()).toEqual(['cancelled']);
    expect((await house.say('carol', '!cancel 1')).join()).toContain('has ended already: cancelled');
    await house.react('carol', '✅');
    untouched(house);
  });
});

describe('the world moved between question and answer', () => {
  test('another plan: conflict, nothing is done', async () => {
    await using house = await asked();
    house.world.version = 2;
    await house.react('carol', '✅');
    expect(house.states()).toEqual(['conflict']);
    expect(house.last()).toContain('Things changed since the question was asked, so nothing was done.');
    untouched(house);
  });

  test('the caller left the room: refused', async () => {
    await using house = openTestHouse({ commands: smallCommands });
    await house.say('alice', '!remove mallory spam');
    house.leave('alice');
    await house.approve('alice-admin');
    expect(house.states()).toEqual(['refused']);
    untouched(house);
  });

  test('the caller lost the role: refused', async () => {
    await using house = openTestHouse({ commands: smallCommands, joined: ['alice', 'dave'] });
    house.operators.add({ user: idOf('dave'), role: 'operator', addedBy: idOf('alice'), at: 1 });
    await house.say('dave', '!remove mallory spam');
    house.operators.remove(idOf('dave'), 2);
    expect((await house.react('dave', '✅')).join()).toContain('needs the role operator');
    untouched(house);
  });

  test('what needed one person needs two now: conflict', async () => {
    let admin = false;
    await using house = await asked({
      commands: (world) => ({ ...answers(), remove: removeWhose(world, () => admin) }),
    });
    admin = true;
    await house.react('carol', '✅');
    expect(house.states()).toEqual(['conflict']);
    expect(house.last()).toContain('needs a second person now');
    untouched(house);
  });

  test('cancelled while it is looked at again: it ends once, and quietly', async () => {
    const gate = Promise.withResolvers<void>();
    let looks = 0;
    await using house = await asked({
      commands: (world) => ({
        ...answers(),
        remove: removeAfter(world, () => (looks++ === 0 ? undefined : gate.promise)),
      }),
    });
    await house.react('carol', '✅');
    await house.say('carol', '!cancel 1');
    expect(house.states()).toEqual(['cancelled']);
    gate.resolve();
    await house.settle();
    expect(house.states()).toEqual(['cancelled']);
    untouched(house);
    expect(house.log.messages('error')).toEqual([]);
  });

  test('a part that fails to look again ends it without a change', async () => {
    let works = true;
    await using house = await asked({
      commands: (world) => ({
        ...answers(),
        remove: removeAfter(world, () => {
          if (!works) throw new Error('secret detail');
        }),
      }),
    });
    works = false;
    await house.react('carol', '✅');
    expect(house.states()).toEqual(['conflict']);
    expect(house.last()).not.toContain('secret detail');
    untouched(house);
  });
});

const removeWhose = (world: World, isAdmin: () => boolean) => {
  const touches = (user: string): Touches => ({ users: [{ user: idOf(user), admin: isAdmin() }] });
  return remove(world, {
    prepare: (args) => {
      const { user, reason } = args as { user: string; reason: string };
      return { plan: { user, reason, soft: false, version: 1 }, facts: undefined, touches: touches(user) };
    },
  });
};

const removeAfter = (world: World, before: () => Promise<void> | void) =>
  remove(world, {
    prepare: async (args) => {
      const { user, reason } = args as { user: string; reason: string };
      await before();
      return {
        plan: { user, reason, soft: false, version: 1 },
        facts: undefined,
        touches: { users: [{ user: idOf(user) }] },
      };
    },
  });

describe('two people', () => {
  const two = (options: Parameters<typeof openTestHouse>[0] = {}) =>
    openTestHouse({
      commands: (world) => ({ ...answers(), remove: remove(world, { confirm: 'two-person' }) }),
      ...options,
    });

  test('the question rings for one who is able, and another human says yes', async () => {
    await using house = two();
    await house.say('carol', '!remove mallory spam');
    expect(house.question()).toMatchObject({ rings: true, mentions: ['@alice:example.org'] });
    expect(house.question().text).toMatch(
      /A second person has to answer, not @carol:example.org: @alice:example.org or @bob:example.org, until \d\d:\d\d \+00:00 \(30 min\)/,
    );
    await house.react('bob', '✅');
    expect(house.states()).toEqual(['done']);
    expect(
      house.ledger
        .audit({ run: 1 })
        .map(({ actor, outcome }) => [actor, outcome])
        .reverse(),
    ).toEqual([
      [idOf('carol'), 'asked'],
      [idOf('bob'), 'granted'],
      [idOf('carol'), 'begun'],
      [idOf('carol'), 'done'],
    ]);
  });

  test('neither the caller, by either account, nor the target, nor a lesser role', async () => {
    await using house = two({
      people: [...team, person('dora', 'admin')],
      joined: ['alice', 'alice-admin', 'bob', 'carol', 'dora', 'vera'],
    });
    await house.say('alice', '!remove bob spam');
    for (const [name, why] of [
      ['alice', 'whoever asked for it cannot approve it'],
      ['alice-admin', 'whoever asked for it cannot approve it'],
      ['bob', 'Whoever is the target cannot approve it.'],
      ['carol', 'needs the role admin'],
      ['vera', 'needs the role admin'],
    ] as const) {
      expect((await house.approve(name)).join(), name).toContain(why);
      expect((await house.react(name, '✅')).join(), name).toContain(why);
    }
    expect(house.states()).toEqual(['waiting']);
    untouched(house);
  });

  test('the other account of the target cannot approve it either', async () => {
    await using house = two({
      people: [...team, person('dora', 'owner', ['dora-work'])],
      joined: ['alice', 'bob', 'dora', 'dora-work'],
    });
    await house.say('bob', '!remove dora-work spam');
    expect((await house.approve('dora')).join()).toContain('Whoever is the target cannot approve it.');
    untouched(house);
    await house.approve('alice');
    expect(house.states()).toEqual(['done']);
  });

  test('an approver who left the room cannot approve', async () => {
    await using house = two();
    await house.say('carol', '!remove mallory spam');
    house.leave('bob');
    expect((await house.react('bob', '✅')).join()).toContain('Only somebody who is in the ops room may answer.');
    untouched(house);
  });

  test('the caller alone may take it back by a no', async () => {
    await using house = two();
    await house.say('carol', '!remove mallory spam');
    await house.react('carol', '❌');
    expect(house.states()).toEqual(['denied']);
  });

  test('with nobody else it is refused at once', async () => {
    await using house = two({ joined: ['alice', 'alice-admin', 'carol', 'vera'] });
    expect((await house.say('alice', '!remove mallory spam')).join()).toContain(
      'needs a second person with the role admin, and there is nobody else',
    );
    expect(house.ledger.runsBy({})).toEqual([]);
  });

  test('after three minutes the next one is asked, by name and loudly, until the half hour is over', async () => {
    await using house = two({ people: [...team, person('dora', 'admin')], joined: ['alice', 'bob', 'carol', 'dora'] });
    await house.say('carol', '!remove mallory spam');
    await house.pass(10 * minuteMs);
    const rung = house.room.messages().filter(({ rings }) => rings);
    expect(rung.map(({ mentions }) => mentions[0])).toEqual(['alice', 'bob', 'dora', 'alice'].map(idOf));
    await house.pass(21 * minuteMs);
    expect(house.states()).toEqual(['expired']);
    const before = house.room.events.length;
    await house.pass(10 * minuteMs);
    expect(house.room.events).toHaveLength(before);
  });
});
