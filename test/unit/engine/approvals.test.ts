import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { idOf, openTestHouse, person, team, type TestHouse } from '#test/fakes/house.ts';
import { answers, remove } from '#test/fixtures/small-commands.ts';
import type { ChangeCommand } from '#engine/command.ts';

const minuteMs = 60_000;
type Options = NonNullable<Parameters<typeof openTestHouse>[0]>;
const house = (set: Partial<ChangeCommand> = {}, options: Options = {}): TestHouse =>
  openTestHouse({ commands: (world) => ({ ...answers(), remove: remove(world, set) }), ...options });
const two = (options: Options = {}): TestHouse => house({ confirm: 'two-person' }, options);
const dora = person('dora', 'admin');

describe('the question in an encrypted room', () => {
  const encrypted = async (set: Partial<ChangeCommand>): Promise<TestHouse> => {
    const opened = house(set);
    opened.know(() => ({ encrypted: true }));
    opened.proof = 'signed-device';
    await opened.say('carol', '!remove mallory spam');
    return opened;
  };

  test('of two people says that it has to be typed, offers no ✅, and takes none', async () => {
    await using room = await encrypted({ confirm: 'two-person' });
    const { text, id } = room.question();
    expect(text).toContain(`: type !approve ${room.code()} or !deny ${room.code()}`);
    expect(text).toContain('A ✅ is not enough here');
    expect(room.room.reactionsOn(id)).toEqual(['❌']);
    expect((await room.react('alice', '✅')).join()).toContain(`Type: !approve ${room.code()}`);
    expect(room.world.done).toEqual([]);
    await room.approve('alice');
    expect(room.states()).toEqual(['done']);
  });

  test('of the caller takes a ✅ for what can be undone, and typing for what can not', async () => {
    await using undoable = await encrypted({});
    expect(undoable.question().text).toContain('react ✅ or ❌');
    await undoable.react('carol', '✅');
    expect(undoable.states()).toEqual(['done']);
    await using final = await encrypted({ undo: 'none' });
    expect(final.question().text).toContain(`within 5 min: type !approve ${final.code()}`);
    await final.react('carol', '✅');
    expect(final.states()).toEqual(['waiting']);
    await final.approve('carol');
    expect(final.states()).toEqual(['done']);
  });
});

describe('who is rung', () => {
  test('by the account that is in the room, and a reaction on the reminder counts', async () => {
    await using room = two({ joined: ['alice-admin', 'carol'] });
    await room.say('carol', '!remove mallory spam');
    expect(room.question().mentions).toEqual([idOf('alice-admin')]);
    expect(room.question().text).toContain('@alice-admin:example.org, until');
    await room.pass(3 * minuteMs);
    const reminder = room.question();
    expect(reminder.text).toMatch(/@carol:example.org asks for a second person .* until \d\d:\d\d/);
    await room.react('alice-admin', '✅', reminder.id);
    expect(room.states()).toEqual(['done']);
  });

  test('nobody who came by one owner alone is asked by that owner', async () => {
    await using room = two({ people: [person('alice', 'owner')], joined: ['alice', 'puppet'] });
    room.operators.add({ user: idOf('puppet'), role: 'admin', addedBy: idOf('alice'), at: room.clock.now() });
    expect((await room.say('alice', '!remove mallory spam')).join()).toContain(
      '@puppet:example.org was added by @alice:example.org alone and counts as them for another 1 d',
    );
    room.operators.confirm(idOf('puppet'), idOf('olga'));
    await room.say('alice', '!remove mallory spam');
    expect(room.question().mentions).toEqual([idOf('puppet')]);
  });

  test('who has the role but is not in the room is named', async () => {
    await using room = two({ joined: ['alice', 'carol'] });
    expect((await room.say('alice', '!remove mallory spam')).join()).toContain(
      '@bob:example.org could, but is not in this room',
    );
  });
});

describe('a team of one', () => {
  const settings = { alone: { waitMs: 30 * minuteMs } };
  const people = [person('alice', 'owner'), person('vera', 'viewer')];
  const one = (options: Options = {}): TestHouse =>
    two({ people, joined: ['alice', 'vera', 'judy'], settings, ...options });

  test('is refused as it comes, with the setting that helps', async () => {
    await using room = one({ settings: {} });
    expect((await room.say('alice', '!remove mallory spam')).join()).toMatch(/nobody else.*alone: \{ wait: 30m/s);
  });

  test('waits where the settings say so: everybody is told, and then it runs', async () => {
    await using room = one();
    await room.say('alice', '!remove mallory spam');
    const { text, rings, mentions, id } = room.question();
    expect(text).toContain('Nobody else has the role admin');
    expect(text).toMatch(/waits 30 min, then it runs.*Anybody here can stop it until \d\d:\d\d/s);
    expect([rings, mentions.toSorted()]).toEqual([true, [idOf('judy'), idOf('vera')]]);
    expect(room.room.reactionsOn(id)).toEqual(['❌']);
    await room.pass(26 * minuteMs);
    expect(room.room.messages().filter((said) => said.rings)).toHaveLength(1);
    await room.pass(3 * minuteMs);
    expect(room.question().text).toContain('unless somebody says no');
    expect(room.world.done).toEqual([]);
    await room.pass(minuteMs + 1000);
    expect(room.states()).toEqual(['done']);
    expect(
      room.ledger
        .audit({ run: 1 })
        .map(({ outcome }) => outcome)
        .reverse(),
    ).toEqual(['asked', 'granted', 'begun', 'done']);
  });

  test.each(['vera', 'judy', 'alice'])('%s can stop it', async (name) => {
    await using room = one();
    await room.say('alice', '!remove mallory spam');
    await room.react(name, '❌');
    await room.pass(31 * minuteMs);
    expect(room.states()).toEqual(['denied']);
    expect(room.world.done).toEqual([]);
  });

  test('the caller cannot cut it short', async () => {
    await using room = one();
    await room.say('alice', '!remove mallory spam');
    for (const name of ['alice', 'vera', 'judy']) await room.react(name, '✅');
    await room.approve('alice');
    expect(room.states()).toEqual(['waiting']);
  });

  test('is none when somebody else has the role: absent, or the target', async () => {
    await using absent = two({ settings, joined: ['alice', 'carol'] });
    expect((await absent.say('alice', '!remove mallory spam')).join()).toContain('nobody else');
    await using target = two({
      settings,
      people: [person('alice', 'owner'), person('olga', 'owner')],
      joined: ['alice', 'olga'],
    });
    expect((await target.say('alice', '!remove olga spam')).join()).toContain('nobody else');
  });

  test('nor when the caller lacks the role themselves', async () => {
    await using room = two({ settings, people: [person('carol', 'operator')], joined: ['carol'] });
    expect((await room.say('carol', '!remove mallory spam')).join()).toContain('nobody else');
  });

  test('a second one who comes meanwhile makes the silence worth nothing', async () => {
    await using room = one();
    await room.say('alice', '!remove mallory spam');
    room.operators.add({ user: idOf('dora'), role: 'admin', addedBy: idOf('olga'), at: room.clock.now() });
    await room.pass(31 * minuteMs);
    expect(room.states()).toEqual(['expired']);
    expect(room.last()).toContain('silence is no yes');
    expect(room.world.done).toEqual([]);
  });

  test('what could not be announced is not done', async () => {
    await using room = one();
    room.room.gate = new Promise(() => {});
    await room.say('alice', '!remove mallory spam');
    await room.pass(31 * minuteMs);
    expect(room.states()).toEqual(['expired']);
    expect(room.world.done).toEqual([]);
  });

  test('is looked at again before it is done', async () => {
    await using room = one();
    await room.say('alice', '!remove mallory spam');
    room.world.version = 2;
    await room.pass(31 * minuteMs);
    expect(room.states()).toEqual(['conflict']);
  });

  test('survives a restart, and hears first what was said meanwhile', async () => {
    await using room = one({ onDisk: true });
    await room.say('alice', '!remove mallory spam');
    await room.say('alice', '!remove judy spam');
    const second = room.question().id;
    room.kill();
    await room.clock.advance(31 * minuteMs);
    room.deaf = true;
    await room.reopen();
    await room.pass(60_000);
    expect(room.states()).toEqual(['waiting', 'waiting']);
    // Too late by the clock, yet nobody listened before.
    await room.react('vera', '❌', second);
    room.deaf = false;
    await room.pass(1000);
    expect(room.states()).toEqual(['done', 'denied']);
  });

  test('silence counts only when the room was heard to the end, not while the bot was cut off', async () => {
    await using room = one();
    await room.say('alice', '!remove mallory spam');
    room.deaf = true;
    await room.pass(60 * minuteMs);
    expect(room.states()).toEqual(['waiting']);
    await room.react('vera', '❌');
    room.deaf = false;
    await room.pass(1000);
    expect(room.states()).toEqual(['denied']);
    expect(room.world.done).toEqual([]);
  });
});

describe('A8: codes', () => {
  const people = [...team, dora];
  const joined = ['alice', 'alice-admin', 'bob', 'carol', 'dora', 'vera', 'judy'];

  test('A8: used, denied or expired ones, and others’, are refused after a restart too; an open one goes on', async () => {
    await using room = two({ people, joined, onDisk: true });
    const codes: string[] = [];
    for (const end of ['used', 'denied', 'expired', 'open']) {
      await room.say('carol', `!remove mallory ${end}`);
      codes.push(room.code());
      if (end === 'used') await room.approve('bob');
      if (end === 'denied') await room.deny('bob');
      if (end === 'expired') await room.pass(31 * minuteMs);
    }
    const before = room.world.done.length;
    room.kill();
    await room.reopen();
    const [used, denied, expired, open] = codes as [string, string, string, string];
    for (const [code, why] of [
      [used, 'closed (granted)'],
      [denied, 'closed (denied)'],
      [expired, 'closed (expired)'],
    ] as const)
      for (const name of ['bob', 'dora']) expect((await room.approve(name, code)).join()).toContain(why);
    for (const name of ['carol', 'vera', 'judy']) await room.approve(name, open);
    expect(room.states()).toEqual(['done', 'denied', 'expired', 'waiting']);
    expect(room.world.done).toHaveLength(before);
    await room.approve('bob', open);
    expect(room.states().at(-1)).toBe('done');
  });

  test('A8: the code of a question that is over is not given again to the same plan', async () => {
    await using room = two({ people, joined });
    const seen = new Set<string>();
    for (let n = 0; n < 12; n += 1) {
      await room.say('carol', '!remove mallory spam');
      expect(seen.has(room.code())).toBe(false);
      seen.add(room.code());
      await room.deny('bob');
    }
    for (const code of [...seen].slice(0, 4)) expect((await room.approve('bob', code)).join()).toContain('closed');
    expect(room.world.done).toEqual([]);
  });

  test('A8: an edited command takes its code along', async () => {
    await using room = two({ people, joined });
    await room.say('carol', '!remove mallory spam');
    const code = room.code();
    await room.edit('carol', room.lastTyped, '!remove judy spam');
    expect((await room.approve('bob', code)).join()).toContain('closed (cancelled)');
    expect(room.world.done).toEqual([]);
  });

  test('A8: a question whose run was changed behind the bot’s back is answered by nobody', async () => {
    await using room = two({ people, joined });
    await room.say('carol', '!remove mallory spam');
    const run = room.run();
    room.ledger.commit({ at: 1, runs: [{ ...run, rev: run.rev + 1, touches: { users: [{ user: idOf('judy') }] } }] });
    expect((await room.approve('bob')).join()).toContain('was given for something else');
    const again = room.run();
    room.ledger.commit({
      at: 1,
      runs: [{ ...again, rev: again.rev + 1, touches: run.touches, plan: { user: '@judy:example.org' } }],
    });
    await room.approve('bob');
    expect(room.states()).toEqual(['conflict']);
    expect(room.world.done).toEqual([]);
  });

  test('A8: whoever says whatever in whatever order, nothing runs without a yes by its own code of somebody who may, in time', async () => {
    const names = joined;
    const step = fc.oneof(
      fc.record({ kind: fc.constant('ask' as const), who: fc.constantFrom('carol', 'alice'), of: fc.nat(2) }),
      fc.record({ kind: fc.constant('approve' as const), who: fc.constantFrom(...names), of: fc.nat(9) }),
      fc.record({ kind: fc.constant('deny' as const), who: fc.constantFrom(...names), of: fc.nat(9) }),
      fc.record({ kind: fc.constant('guess' as const), who: fc.constantFrom(...names), of: fc.nat(0xffff) }),
      fc.record({ kind: fc.constant('pass' as const), who: fc.constant(''), of: fc.integer({ min: 1, max: 20 }) }),
    );
    const human = (name: string): string => name.replace(/-.*/, '');
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        await using room = two({ people, joined });
        // What should be: of each question who asked, until when, and whether it is still open.
        const model: Array<{ code: string; who: string; until: number; state: string }> = [];
        const expire = (): void => {
          for (const one of model) if (one.state === 'waiting' && room.clock.now() >= one.until) one.state = 'expired';
        };
        for (const { kind, who, of } of steps) {
          if (kind === 'pass') await room.clock.advance(of * minuteMs);
          expire();
          if (kind === 'ask') {
            await room.say(who, `!remove mallory ${of}`);
            model.push({ code: room.code(), who, until: room.clock.now() + 30 * minuteMs, state: 'waiting' });
          }
          if (kind === 'guess') await room.approve(who, of.toString(16).padStart(5, '0'));
          if (kind !== 'approve' && kind !== 'deny') continue;
          const one = model[of];
          if (one === undefined) continue;
          await (kind === 'approve' ? room.approve(who, one.code) : room.deny(who, one.code));
          const own = human(who) === one.who;
          const may = ['alice', 'bob', 'dora'].includes(human(who)) && !own;
          if (one.state !== 'waiting') continue;
          if (kind === 'approve' && may) one.state = 'done';
          if (kind === 'deny' && (may || own)) one.state = 'denied';
        }
        await room.pass(1000);
        expire();
        const states = room.states().map((state) => (state === 'conflict' ? 'waiting' : state));
        expect(states).toEqual(model.map(({ state }) => state));
      }),
      { numRuns: 150 },
    );
  }, 60_000);
});
