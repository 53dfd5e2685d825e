import { describe, expect, test } from 'vitest';
import { OpsError } from '#domain/errors.ts';
import { none, z } from '#engine/args.ts';
import { type ChangeCommand, type Command, defineQuery, type RunHands } from '#engine/command.ts';
import { openTestHouse } from '#test/fakes/house.ts';
import type { World } from '#test/fakes/world.ts';
import { answers, remove, smallCommands, tick } from '#test/fixtures/small-commands.ts';

/** `!tick` with another way to work. */
const ticking =
  (apply: (run: RunHands<string>, world: World) => Promise<string>, set: Partial<ChangeCommand> = {}) =>
  (world: World): Record<string, Command> => ({
    ...answers(),
    tick: tick(world, { apply: async (_plan, _ports, run) => ({ title: await apply(run, world) }), ...set }),
  });

describe('how a run ends', () => {
  test('a step that fails at first: failed, and nothing was changed', async () => {
    await using house = openTestHouse({ commands: smallCommands });
    house.world.fail('count', 'The counter is broken.');
    await house.say('carol', '!tick');
    expect(house.states()).toEqual(['failed']);
    expect(house.last()).toContain('❌ tick failed, nothing was changed: The counter is broken.');
    expect(house.room.reactionsOn('$m1')).toEqual(['❌']);
  });

  test('a step that timed out: failed, and nobody says that nothing was changed', async () => {
    await using house = openTestHouse({ commands: smallCommands });
    house.world.fail('count', 'No answer in 10 s.', { when: 'after' });
    await house.say('carol', '!tick');
    expect(house.last()).toContain('❌ tick failed: No answer in 10 s. The last step may or may not have been done.');
    expect(house.last()).not.toContain('nothing was changed');
    expect(house.last()).toContain('Finish it (safe to repeat): !tick');
  });

  test('a later step that fails: partial, with what is done, what is left and the line that finishes it', async () => {
    await using house = openTestHouse({
      commands: (world) => ({ ...answers(), remove: remove(world, { confirm: 'none' }) }),
    });
    house.world.fail('puppet', 'Synapse did not answer.');
    await house.say('carol', '!remove --soft mallory posting "spam" --now');
    expect(house.states()).toEqual(['partial']);
    expect(house.last()).toContain('⚠️ remove stopped half-way: Synapse did not answer.');
    expect(house.last()).toContain('done: suspend the account');
    for (const left of ['act on their behalf', 'leave the rooms', 'set the status', 'lock the account']) {
      expect(house.last()).toContain(`not done: ${left}`);
    }
    expect(house.last()).toContain('Finish it (safe to repeat): !remove --soft mallory posting "spam" --now');
    expect(house.room.messages().at(-1)?.mark).toMatchObject({ outcome: 'partial' });
    expect(house.room.reactionsOn('$m1')).toEqual(['⚠️']);
  });

  test('what was only attempted does not hold up the rest, and makes the run partial', async () => {
    await using house = openTestHouse({
      commands: (world) => ({ ...answers(), remove: remove(world, { confirm: 'none' }) }),
    });
    house.world.fail('status', 'The application is down.');
    house.world.fail('leave cellar', 'The door is locked.');
    await house.say('carol', '!remove mallory spam');
    expect(house.states()).toEqual(['partial']);
    expect(house.world.done.at(-1)).toBe('lock');
    expect(house.last()).toContain('⚠️ @mallory:example.org is removed');
    expect(house.last()).toContain('not done: leave the rooms: 1 of 3 failed: cellar (The door is locked.)');
    expect(house.last()).toContain('not done: set the status: The application is down.');
    expect(house.last()).not.toContain('not done: lock');
    expect(house.last()).toContain('Undo: !restore @mallory:example.org');
  });

  test('after an attempt and a stop both are told, each once', async () => {
    await using house = openTestHouse({
      commands: (world) => ({ ...answers(), remove: remove(world, { confirm: 'none' }) }),
    });
    house.world.fail('status', 'The application is down.');
    house.world.fail('lock', 'Synapse is down.');
    await house.say('carol', '!remove mallory spam');
    expect(house.last().match(/not done: set the status/g)).toHaveLength(1);
    expect(house.last()).toContain('not done: lock the account');
  });

  test('a bug is told without its words, and logged with them', async () => {
    await using house = openTestHouse({
      commands: ticking(() => {
        throw new TypeError('x is undefined, password hunter2');
      }),
    });
    await house.say('carol', '!tick');
    expect(house.last()).toContain('Internal error, see the log (r1).');
    expect(house.room.texts().join()).not.toContain('hunter2');
    expect(house.log.messages('error')).toEqual(['a run failed by a bug']);
  });

  test('a step that is not declared is a bug and is not done', async () => {
    await using house = openTestHouse({
      commands: ticking((run, world) => run.step('other', () => world.act('count'))),
    });
    await house.say('carol', '!tick');
    expect(house.states()).toEqual(['failed']);
    expect(house.world.done).toEqual([]);
  });

  test('what a step keeps is 4 KB at most, counted in bytes', async () => {
    const keeping = (text: string) =>
      openTestHouse({ commands: ticking((run) => run.step('count', async () => text)) });
    for (const [text, state] of [
      ['x'.repeat(4094), 'done'],
      ['x'.repeat(4095), 'failed'],
      ['€'.repeat(1365), 'failed'],
    ] as const) {
      await using house = keeping(text);
      await house.say('carol', '!tick');
      expect(house.states()).toEqual([state]);
      // It was done; only its result could not be kept.
      if (state === 'failed') expect(house.last()).not.toContain('nothing was changed');
    }
  });

  test('the steps of a run stand in its audit, as does its error', async () => {
    await using house = openTestHouse({ commands: smallCommands });
    house.world.fail('count', 'The counter is broken.');
    await house.say('carol', '!tick');
    expect(house.ledger.audit({ run: 1 }).map(({ outcome, detail }) => [outcome, detail])).toEqual([
      [
        'failed',
        { effect: 'none', error: 'The counter is broken.', kind: 'unavailable', steps: [['count', 'failed', 1]] },
      ],
      ['begun', expect.objectContaining({ key: '$m1', proof: 'clear' })],
    ]);
  });
});

describe('intent before the act', () => {
  test('when the first act happens, the run, its lock and its audit entry are in the memory', async () => {
    const seen: unknown[] = [];
    await using house = openTestHouse({
      commands: ticking(
        (run, world) =>
          run.step('count', async () => {
            seen.push(
              house.run().state,
              house.ledger.audit({ run: 1 })[0]?.outcome,
              house.ledger.lockHolder('tick'),
              house.steps()[0]?.state,
            );
            return world.act('count');
          }),
        { prepare: () => ({ plan: {}, facts: undefined, touches: { things: ['tick'] } }) },
      ),
    });
    await house.say('carol', '!tick');
    expect(seen).toEqual(['running', 'begun', 1, 'begun']);
  });
});

describe('locks', () => {
  const removal = (world: World) => ({ ...answers(), remove: remove(world, { confirm: 'none' }) });

  test('two runs never work on one person at a time; the second is told who does', async () => {
    await using house = openTestHouse({ commands: removal });
    house.world.close('suspend');
    await house.say('carol', '!remove mallory spam');
    const said = (await house.say('bob', '!remove mallory again')).join();
    expect(said).toContain('Run r1 is working on @mallory:example.org right now.');
    expect(said).toContain('!run r1');
    expect(house.states()).toEqual(['running']);
    await house.say('bob', '!remove bert spam');
    expect(house.states()).toEqual(['running', 'running']);
    house.world.open('suspend');
    await house.settle();
    await house.say('bob', '!remove mallory again');
    expect(house.states()).toEqual(['done', 'done', 'done']);
  });

  test('two that were both confirmed: the second ends as a conflict', async () => {
    await using house = openTestHouse({ commands: smallCommands });
    await house.say('carol', '!remove mallory spam');
    const first = house.code();
    await house.say('bob', '!remove mallory too');
    house.world.close('suspend');
    await house.approve('carol', first);
    await house.approve('bob', house.code());
    expect(house.states()).toEqual(['running', 'conflict']);
    house.world.open('suspend');
    await house.settle();
    expect(house.states()).toEqual(['done', 'conflict']);
    expect(house.world.times('suspend')).toBe(1);
  });

  test('waiting for an answer locks nothing', async () => {
    await using house = openTestHouse({ commands: smallCommands });
    await house.say('carol', '!remove mallory spam');
    expect(house.ledger.lockHolder('user:@mallory:example.org')).toBeUndefined();
  });
});

describe('stopping a run', () => {
  test('it stops at the step it is in, and tells what is left', async () => {
    await using house = openTestHouse({
      commands: (world) => ({ ...answers(), remove: remove(world, { confirm: 'none' }) }),
    });
    house.world.close('leave cellar');
    await house.say('carol', '!remove mallory spam');
    expect(await house.say('carol', '!cancel 1')).toContainEqual(expect.stringContaining('stopped: stopping'));
    expect(house.states()).toEqual(['partial']);
    expect(house.world.done).toEqual(['suspend', 'puppet', 'leave kitchen']);
    const end = house.room.messages().find(({ thread }) => thread === '$m1');
    expect(end?.text).toContain('remove stopped half-way: Stopped');
    expect(end?.text).toContain('not done: leave the rooms');
    expect(house.ledger.lockHolder('user:@mallory:example.org')).toBeUndefined();
  });

  test('before anything was done it is cancelled, not partial', async () => {
    await using house = openTestHouse({ commands: smallCommands });
    house.world.close('count');
    await house.say('carol', '!tick');
    await house.say('carol', '!cancel 1');
    expect(house.states()).toEqual(['cancelled']);
    expect(house.world.done).toEqual([]);
  });

  test('told twice while it stops, it still ends once', async () => {
    await using house = openTestHouse({
      commands: ticking(async (run, world) => {
        // Deaf to the signal, as a request that can't be taken back.
        await run.step('count', () => world.act('count'));
        return 'counted';
      }),
    });
    house.world.close('count');
    await house.say('carol', '!tick');
    await house.say('carol', '!cancel 1');
    expect((await house.say('carol', '!cancel 1')).join()).toContain('stopped: stopping');
    expect(house.states()).toEqual(['stopping']);
    house.world.open('count');
    await house.settle();
    expect(house.states()).toEqual(['done']);
    expect(house.log.messages('error')).toEqual([]);
    expect(
      house.room.messages().filter(({ thread, mark }) => thread === '$m1' && mark?.outcome === 'done'),
    ).toHaveLength(1);
  });

  test('an unknown run cannot be stopped', async () => {
    await using house = openTestHouse({ commands: smallCommands });
    expect((await house.say('carol', '!cancel 99')).join()).toContain('There is no run r99.');
  });
});

describe('signs of life', () => {
  test('an instant answer is one event', async () => {
    await using house = openTestHouse({ commands: smallCommands });
    await house.say('carol', '!hello');
    expect(house.room.events.map(({ kind }) => kind)).toEqual(['message']);
  });

  test('after 300 ms the command shows an hourglass, which goes with the answer', async () => {
    await using house = openTestHouse({ commands: smallCommands });
    house.world.close('count');
    await house.say('carol', '!tick');
    await house.pass(299);
    expect(house.room.reactionsOn('$m1')).toEqual([]);
    await house.pass(2);
    expect(house.room.reactionsOn('$m1')).toEqual(['⏳']);
    house.world.open('count');
    await house.settle();
    expect(house.room.reactionsOn('$m1')).toEqual(['✅']);
  });

  test('a slow question too, also when it fails', async () => {
    const slow = (world: World): Record<string, Command> => ({
      slow: defineQuery({
        summary: 'x',
        examples: [''],
        args: none,
        answer: () => world.act('slow'),
        view: (text) => ({ title: text }),
      }),
    });
    for (const fails of [false, true]) {
      await using house = openTestHouse({ commands: slow });
      if (fails) house.world.fail('slow');
      house.world.close('slow');
      await house.say('carol', '!slow');
      await house.pass(301);
      expect(house.room.reactionsOn('$m1')).toEqual(['⏳']);
      house.world.open('slow');
      await house.settle();
      expect(house.room.reactionsOn('$m1')).toEqual([]);
      expect(house.last()).toContain(fails ? 'slow does not work.' : 'slow is done');
    }
  });

  test('long work is one message, edited at most every 3 s; the last edit is the result', async () => {
    await using house = openTestHouse({
      commands: ticking(async (run) => {
        await run.step('count', async () => {
          for (let n = 1; n <= 100; n += 1) {
            await house.clock.sleep(100);
            run.progress(n, 100, 'counting');
          }
        });
        return 'counted';
      }),
    });
    await house.say('carol', '!tick');
    await house.pass(9500);
    expect(house.room.messages()).toHaveLength(1);
    expect(house.last()).toMatch(/⏳ tick: counting \d+ % \(r1\)/);
    await house.pass(2000);
    expect(house.room.messages()).toHaveLength(1);
    expect(house.last()).toContain('✅ counted');
    expect(house.room.events.filter(({ kind }) => kind === 'edit').length).toBeLessThanOrEqual(4);
  });

  test('progress that the room cannot take yet costs one row', async () => {
    await using house = openTestHouse({
      commands: ticking(async (run) => {
        await run.step('count', async () => {
          for (let n = 1; n <= 100; n += 1) {
            await house.clock.sleep(1000);
            run.progress(n, 100, 'counting');
          }
        });
        return 'counted';
      }),
    });
    house.room.limit(200_000);
    await house.say('carol', '!tick');
    await house.pass(100_000);
    expect(house.room.events).toEqual([]);
    await house.pass(110_000);
    expect(house.room.messages().map(({ text }) => text.slice(0, 9))).toEqual(['✅ counted']);
    expect(house.room.events.filter(({ kind }) => kind === 'edit')).toEqual([]);
  });
});

describe('the door', () => {
  test('--dry-run shows and changes nothing', async () => {
    await using house = openTestHouse({ commands: smallCommands });
    expect((await house.say('carol', '!remove --dry-run mallory spam')).join()).toContain(
      'Dry run, nothing was changed. Remove @mallory:example.org: spam?',
    );
    await house.say('carol', '!tick –dry-run');
    expect(house.ledger.runsBy({})).toEqual([]);
    expect(house.world.done).toEqual([]);
    expect(house.ledger.openPrompts()).toEqual([]);
  });

  test.each(['--dry-run=yes', '--dry-run=1', '--dry-run='])('%s is not taken for a no', async (flag) => {
    await using house = openTestHouse({ commands: smallCommands });
    expect((await house.say('carol', `!tick ${flag}`)).join()).toContain('--dry-run takes no value.');
    expect(house.world.done).toEqual([]);
  });

  test('a part that is off is told with the setting that switches it on', async () => {
    await using house = openTestHouse({
      commands: () => ({
        calls: defineQuery({
          summary: 'x',
          examples: [''],
          args: none,
          needs: ['calls'],
          answer: () => 1,
          view: () => ({ title: 'x' }),
        }),
      }),
    });
    expect((await house.say('carol', '!calls')).join()).toContain(
      '!calls needs livekit, which is off.\n\nSet livekit in the settings file.',
    );
  });

  test('an unknown word of somebody with a role is answered, and nothing that only looks like one', async () => {
    await using house = openTestHouse({ commands: smallCommands });
    expect((await house.say('carol', '!important')).join()).toContain('There is no command "important"');
    expect((await house.say('carol', '!helo')).join()).toContain('Did you mean !hello?');
    for (const chat of ['!', '!!', '!"quoted', 'hello', 'nobody asked']) {
      expect(await house.say('carol', chat), chat).toEqual([]);
    }
  });

  test('answers are threads on the command, or go into its thread', async () => {
    await using house = openTestHouse({ commands: smallCommands });
    await house.say('carol', '!hello');
    await house.say('carol', '!hello', { thread: '$alert' });
    expect(house.room.messages().map(({ thread }) => thread)).toEqual(['$m1', '$alert']);
    expect(house.room.messages()[1]?.content['m.relates_to']).toMatchObject({
      is_falling_back: true,
      'm.in_reply_to': { event_id: '$m2' },
    });
  });

  test('the bot is called by its prefix, its name or its pill', async () => {
    await using house = openTestHouse({ commands: smallCommands });
    for (const text of [
      '!hello',
      '! hello',
      '! Hello.',
      'opsroom: hello',
      'Opsroom, hello',
      '@opsroom:example.org: hello',
      '!hellos',
    ]) {
      expect(await house.say('carol', text), text).toEqual(['hello world']);
    }
    const html = '<a href="https://matrix.to/#/@opsroom:example.org">The Bot</a>: hello you';
    expect(await house.say('carol', 'The Bot: hello you', { html })).toEqual(['hello you']);
  });

  test('a refusal is answered and audited; what went wrong inside is answered by its reference only', async () => {
    await using house = openTestHouse({
      commands: () => ({
        broken: defineQuery({
          summary: 'x',
          examples: [''],
          args: none,
          answer: () => {
            throw new Error('token syt_secret');
          },
          view: () => ({ title: '' }),
        }),
        limited: defineQuery({
          summary: 'x',
          examples: [''],
          args: none,
          role: 'owner',
          answer: () => 1,
          view: () => ({ title: 'x' }),
        }),
      }),
    });
    const [said] = await house.say('carol', '!broken');
    expect(said).toMatch(/Internal error, ref [0-9a-f]{4}\. The log has the details\./);
    expect(house.room.messages()[0]?.mark).toMatchObject({ outcome: 'failed' });
    await house.say('carol', '!limited');
    expect(house.last()).toContain('!limited needs the role owner; you are operator.');
    expect(house.last()).toContain('Your role is fixed under people in the settings file');
    expect(house.room.messages().at(-1)?.html).toContain('under <code>people</code> in');
    expect(house.ledger.audit({})).toMatchObject([{ act: 'limited', outcome: 'denied', actor: '@carol:example.org' }]);
  });

  test('a plan that is not what was declared never runs', async () => {
    await using house = openTestHouse({
      commands: ticking(() => Promise.resolve('x'), {
        plan: z.strictObject({ n: z.number() }),
        prepare: () => ({ plan: { n: 'one' }, facts: undefined, touches: {} }),
      }),
    });
    await house.say('carol', '!tick');
    expect(house.last()).toContain('Internal error');
    expect(house.ledger.runsBy({})).toEqual([]);
  });

  test('while the memory is full nothing is done, and the command is met again when there is room', async () => {
    await using house = openTestHouse({ commands: smallCommands });
    house.put('carol', { type: 'm.room.message', content: { msgtype: 'm.text', body: '!tick' } });
    house.power.refuses = new OpsError('unavailable', 'full');
    await house.settle();
    expect(house.world.done).toEqual([]);
    house.power.refuses = undefined;
    await house.pass(10_000);
    expect(house.states()).toEqual(['done']);
    expect(house.world.times('count')).toBe(1);
    expect(house.room.messages()).toHaveLength(1);
  });

  test('only declared ports are given to a command', async () => {
    let given: string[] = [];
    await using house = openTestHouse({
      commands: () => ({
        look: defineQuery({
          summary: 'x',
          examples: [''],
          args: none,
          needs: ['operators'],
          wants: ['calls'],
          answer: (_args, ports) => {
            given = Object.keys(ports);
          },
          view: () => ({ title: 'x' }),
        }),
      }),
    });
    await house.say('carol', '!look');
    expect(given.toSorted()).toEqual(['bot', 'calls', 'clock', 'operators']);
  });
});
