import { describe, expect, test } from 'vitest';
import { OpsError } from '#domain/errors.ts';
import { none, z } from '#engine/args.ts';
import { type ChangeCommand, type Command, defineChange, type RunHands, type StepDefinition } from '#engine/command.ts';
import { openTestHouse, type TestHouse } from '#test/fakes/house.ts';
import type { World } from '#test/fakes/world.ts';
import { answers, remove, smallCommands, tick } from '#test/fixtures/small-commands.ts';

type Steps = Record<string, StepDefinition>;
const safe = (title: string): StepDefinition => ({ title, again: 'safe' });

/** `!work`, which runs at once and does what the test says. */
const work =
  (steps: Steps, apply: (run: RunHands<string>, world: World) => Promise<void>, set: Partial<ChangeCommand> = {}) =>
  (world: World): Record<string, Command> => ({
    ...answers(),
    work: {
      ...defineChange({
        summary: 'Work.',
        examples: [''],
        args: none,
        role: 'operator',
        confirm: 'none',
        undo: 'none',
        plan: z.strictObject({}),
        afterCrash: 'resume',
        steps,
        prepare: () => ({ plan: {}, facts: undefined, touches: { things: ['work'] } }),
        describe: () => ({ title: 'Work?' }),
        async apply(_plan, _ports, run) {
          await apply(run, world);
          return { title: 'worked' };
        },
      }),
      ...(set as object),
    },
  });

/** Runs until the named act hangs, kills, and starts again with the act free. */
async function killedIn(name: string, commands: (world: World) => Record<string, Command>): Promise<TestHouse> {
  const house = openTestHouse({ commands, onDisk: true });
  house.world.close(name);
  await house.say('carol', '!work');
  house.kill();
  house.world.open(name);
  await house.reopen();
  return house;
}

describe('A2 after a kill', () => {
  const steps: Steps = { one: safe('do one'), token: { ...safe('get a token'), keep: false }, two: safe('do two') };
  const three = async (run: RunHands<string>, world: World): Promise<void> => {
    const kept = await run.step('one', async () => ({ n: 7, did: await world.act('one') }));
    await run.step('token', () => world.act('token'));
    await run.step('two', () => world.act('two'));
    run.say(`kept ${kept.n}`);
  };

  test('what is done is not repeated and gives back what it kept; what was not to be kept is made again', async () => {
    await using house = await killedIn('two', work(steps, three));
    expect(house.states()).toEqual(['done']);
    expect(house.world.done).toEqual(['one', 'token', 'token', 'two']);
    expect(house.last()).toContain('kept 7');
    expect(house.steps().map(({ key, state, attempt }) => [key, state, attempt])).toEqual([
      ['one', 'done', 1],
      ['token', 'done', 2],
      ['two', 'done', 2],
    ]);
    expect(house.ledger.lockHolder('work')).toBeUndefined();
  });

  test('nothing of what need not be kept is stored', async () => {
    await using house = openTestHouse({ commands: work(steps, three) });
    await house.say('carol', '!work');
    expect(house.steps().find(({ key }) => key === 'token')?.kept).toBeUndefined();
    expect(house.steps().find(({ key }) => key === 'one')?.kept).toEqual({ n: 7, did: 'one is done' });
  });

  test('a step that must never be done twice: interrupted, and told what is done, what may be and what is not', async () => {
    const never: Steps = { ...steps, one: { title: 'close the account', again: 'never' }, before: safe('remember') };
    await using house = await killedIn(
      'one',
      work({ before: never['before']!, one: never['one']!, two: never['two']! }, async (run, world) => {
        await run.step('before', () => world.act('before'));
        await run.step('one', () => world.act('one'));
        await run.step('two', () => world.act('two'));
      }),
    );
    expect(house.states()).toEqual(['interrupted']);
    expect(house.world.times('one')).toBe(0);
    expect(house.last()).toContain('"close the account" was cut off and must not be repeated unseen.');
    expect(house.last()).toContain('done: remember');
    expect(house.last()).toContain('cut off, perhaps done: close the account');
    expect(house.last()).toContain('not done: do two');
    expect(house.last()).toContain('Ask for it again: !work');
    expect(house.last()).not.toContain('safe to repeat');
    expect(house.last()).not.toContain('nothing was changed');
    expect(house.room.messages().at(-1)?.mark).toMatchObject({ outcome: 'partial', run: 'r1' });
    expect(house.ledger.lockHolder('work')).toBeUndefined();
  });

  test('nor one that failed before: it may have been done all the same', async () => {
    const commands = work({ one: { title: 'close', again: 'never' }, two: safe('do two') }, async (run, world) => {
      await run.attempt('one', () => world.act('one'));
      await run.step('two', () => world.act('two'));
    });
    await using house = openTestHouse({ commands, onDisk: true });
    house.world.fail('one', 'No answer in 10 s.', { when: 'after' });
    house.world.close('two');
    await house.say('carol', '!work');
    house.kill();
    house.world.open('two');
    await house.reopen();
    expect(house.world.times('one')).toBe(1);
    expect(house.states()).toEqual(['partial']);
    expect(house.last()).toContain('not done: close: "close" was cut off');
  });

  test('a step that looks: done already is not done again, else it is', async () => {
    for (const wasDone of [true, false]) {
      const commands = work({ one: { title: 'start the job', again: 'look' } }, async (run, world) => {
        const id = await run.step('one', () => world.act('one'), {
          look: async () => (wasDone ? { done: true, value: 'found it' } : { done: false }),
        });
        run.say(id);
      });
      await using house = await killedIn('one', commands);
      expect(house.states()).toEqual(['done']);
      expect(house.last()).toContain(wasDone ? 'found it' : 'one is done');
      expect(house.world.times('one')).toBe(wasDone ? 0 : 1);
    }
  });

  test('a step that should look and has no probe is a bug, told at its first run', async () => {
    await using house = openTestHouse({
      commands: work({ one: { title: 'x', again: 'look' } }, (run, world) =>
        run.step('one', () => world.act('one')).then(() => {}),
      ),
    });
    await house.say('carol', '!work');
    expect(house.states()).toEqual(['failed']);
    expect(house.world.done).toEqual([]);
  });

  const items = ['a', 'b', 'c', 'd', 'e'];
  const many = work({ all: safe('do all') }, async (run, world) => {
    const { failed } = await run.each('all', items, async (item) => void (await world.act(item)), { parallel: 2 });
    run.say(`failed: ${failed.map(({ item }) => item).join()}`);
  });

  test('over many items it goes on where it was', async () => {
    await using house = await killedIn('d', many);
    expect(house.states()).toEqual(['done']);
    // c and d are one chunk: its end was not written.
    expect(house.world.done).toEqual(['a', 'b', 'c', 'c', 'd', 'e']);
  });

  test('a failure before the kill is not forgotten after it', async () => {
    const house = openTestHouse({ commands: many, onDisk: true });
    await using _ = house;
    house.world.fail('b', 'b does not want.', { times: 2 });
    house.world.close('d');
    await house.say('carol', '!work');
    house.kill();
    house.world.open('d');
    await house.reopen();
    expect(house.states()).toEqual(['partial']);
    expect(house.last()).toContain('not done: do all: 1 of 5 failed: b (b does not want.)');
    expect(house.last()).toContain('Finish it (safe to repeat): !work');
  });

  test('another shape: interrupted and told, not resumed', async () => {
    let shape: Steps = { one: safe('do one') };
    const commands = (world: World): Record<string, Command> =>
      work(shape, (run) => run.step('one', () => world.act('one')).then(() => {}))(world);
    const house = openTestHouse({ commands, onDisk: true });
    await using _ = house;
    house.world.close('one');
    await house.say('carol', '!work');
    house.kill();
    shape = { one: safe('do one'), more: safe('do more') };
    house.world.open('one');
    await house.reopen();
    expect(house.states()).toEqual(['interrupted']);
    expect(house.world.done).toEqual([]);
    expect(house.last()).toContain('work was interrupted: The bot was stopped in the middle of this.');
  });

  test('a command that is gone: interrupted and told', async () => {
    let there = true;
    const house = openTestHouse({
      commands: (world) => (there ? { ...answers(), work: tick(world) } : answers()),
      onDisk: true,
    });
    await using _ = house;
    house.world.close('count');
    await house.say('carol', '!work');
    house.kill();
    there = false;
    await house.reopen();
    expect(house.states()).toEqual(['interrupted']);
    expect(house.last()).toContain('work was interrupted');
  });

  test('`report` is never resumed; `restart` does all again', async () => {
    const two = async (run: RunHands<string>, world: World): Promise<void> => {
      await run.step('one', () => world.act('one'));
      await run.step('two', () => world.act('two'));
    };
    const plain: Steps = { one: safe('do one'), two: safe('do two') };
    await using reported = await killedIn('two', work(plain, two, { afterCrash: 'report' }));
    expect(reported.states()).toEqual(['interrupted']);
    expect(reported.world.done).toEqual(['one']);
    expect(reported.last()).toContain('done: do one');
    expect(reported.last()).toContain('cut off, perhaps done: do two');
    await using restarted = await killedIn('two', work(plain, two, { afterCrash: 'restart' }));
    expect(restarted.states()).toEqual(['done']);
    expect(restarted.world.done).toEqual(['one', 'one', 'two']);
  });

  test('told to stop when it was killed: not resumed', async () => {
    const house = openTestHouse({
      commands: work({ one: safe('do one') }, (run, world) => run.step('one', () => world.act('one')).then(() => {})),
      onDisk: true,
    });
    await using _ = house;
    house.world.close('one');
    await house.say('carol', '!work');
    await house.say('carol', '!cancel 1');
    house.kill();
    house.world.open('one');
    await house.reopen();
    expect(house.states()).toEqual(['interrupted']);
    expect(house.world.done).toEqual([]);
  });

  test('a question outlives it, with its code, its end and its reaction', async () => {
    const house = openTestHouse({ commands: smallCommands, onDisk: true });
    await using _ = house;
    await house.say('carol', '!remove mallory spam');
    house.kill();
    await house.reopen();
    await house.react('carol', '✅');
    expect(house.states()).toEqual(['done']);
    await house.say('carol', '!remove bert spam');
    house.kill();
    await house.reopen();
    await house.pass(301_000);
    expect(house.states()).toEqual(['done', 'expired']);
  });

  test.each([
    ['a quarter of an hour', 15 * 60_000 - 1000, 'done', 1],
    ['half an hour', 30 * 60_000, 'conflict', 0],
  ])('killed between the yes and the begin, and started again after %s', async (_, laterMs, state, acts) => {
    const asked = async (cutAt?: { write: number; when: 'before' }): Promise<TestHouse> => {
      const house = openTestHouse({ commands: smallCommands, onDisk: true, ...(cutAt && { cutAt }) });
      await house.say('carol', '!remove mallory spam');
      return house;
    };
    await using first = await asked();
    // The reaction, the yes, and the begin of the run.
    await using house = await asked({ write: first.power.writes + 3, when: 'before' });
    await house.react('carol', '✅').catch(() => {});
    expect(house.power.on).toBe(false);
    house.kill();
    await house.clock.advance(laterMs);
    await house.reopen();
    const outcomes = house.ledger.audit({ act: 'remove' }).map(({ outcome }) => outcome);
    expect(outcomes.slice(-2).toReversed()).toEqual(['asked', 'granted']);
    expect([house.states(), house.world.times('suspend')]).toEqual([[state], acts]);
    if (state === 'conflict') expect(house.last()).toMatch(/The yes came, but[^]*Nothing was done/);
  });

  test('killed twice, it still ends once', async () => {
    const house = openTestHouse({
      commands: (world) => ({ ...answers(), remove: remove(world, { confirm: 'none' }) }),
      onDisk: true,
    });
    await using _ = house;
    for (const act of ['suspend', 'leave cellar', 'lock']) {
      house.world.close(act);
      if (act === 'suspend') await house.say('carol', '!remove mallory spam');
      else await house.reopen();
      house.kill();
      house.world.open(act);
    }
    await house.reopen();
    expect(house.states()).toEqual(['done']);
    expect(house.world.done.filter((act) => act !== 'puppet')).toEqual([
      'suspend',
      'leave kitchen',
      'leave cellar',
      'leave attic',
      'status',
      'lock',
    ]);
    expect(house.room.messages()).toHaveLength(1);
  });
});

describe('an orderly stop', () => {
  test('a run that ends within the grace is ended; one that does not goes on at the next start', async () => {
    const house = openTestHouse({ commands: smallCommands, onDisk: true });
    await using _ = house;
    house.world.close('count');
    await house.say('carol', '!tick');
    const closed = house.runner.close(5000);
    await house.clock.advance(10_000);
    await closed;
    expect(house.states()).toEqual(['running']);
    house.kill();
    house.world.open('count');
    await house.reopen();
    expect(house.states()).toEqual(['done']);
  });

  test('what the stop cuts off in a list is not taken for a failure', async () => {
    const house = openTestHouse({
      commands: work(
        { all: safe('do all') },
        async (run, world) =>
          void (await run.each('all', ['a', 'b'], async (item, signal) => void (await world.act(item, signal)))),
      ),
      onDisk: true,
    });
    await using _ = house;
    house.world.close('b');
    await house.say('carol', '!work');
    const closed = house.runner.close(1000);
    await house.clock.advance(10_000);
    await closed;
    expect(house.states()).toEqual(['running']);
    house.kill();
    house.world.open('b');
    await house.reopen();
    expect(house.states()).toEqual(['done']);
    expect(house.last()).not.toContain('failed');
  });
});

describe('I2 a memory that takes nothing', () => {
  const full = new OpsError('unavailable', 'The bot cannot write its own memory, so nothing was done.');

  test('the end of a run that cannot be written is written within seconds of space returning', async () => {
    await using house = openTestHouse({ commands: smallCommands });
    house.world.close('count');
    await house.say('carol', '!tick');
    house.power.refuses = full;
    house.world.open('count');
    await house.settle();
    await house.pass(5000);
    expect(house.states()).toEqual(['running']);
    expect(house.log.messages('error').filter((line) => line.includes('could not be settled'))).toHaveLength(1);
    house.power.refuses = undefined;
    await house.pass(2000);
    expect(house.states()).toEqual(['done']);
    expect(house.world.times('count')).toBe(1);
    expect(house.room.messages()).toHaveLength(1);
  });

  test('in the middle of a run: it goes on from its last step, and nothing is done in between', async () => {
    await using house = openTestHouse({
      commands: (world) => ({ ...answers(), remove: remove(world, { confirm: 'none' }) }),
    });
    house.world.close('leave cellar');
    await house.say('carol', '!remove mallory spam');
    house.power.refuses = full;
    house.world.open('leave cellar');
    await house.pass(3000);
    expect(house.world.done).toEqual(['suspend', 'puppet', 'leave kitchen', 'leave cellar']);
    house.power.refuses = undefined;
    await house.pass(2000);
    expect(house.states()).toEqual(['done']);
    expect(house.world.times('suspend')).toBe(1);
    expect(house.ledger.lockHolder('user:@mallory:example.org')).toBeUndefined();
  });

  test('after the yes: the run begins when it can', async () => {
    await using house = openTestHouse({ commands: smallCommands });
    await house.say('carol', '!remove mallory spam');
    house.world.close('suspend');
    await house.react('carol', '✅');
    house.power.refuses = full;
    house.world.open('suspend');
    await house.pass(3000);
    house.power.refuses = undefined;
    await house.pass(2000);
    expect(house.states()).toEqual(['done']);
  });

  test('at the start: a run that cannot be told as interrupted yet does not stop it', async () => {
    const house = openTestHouse({
      commands: work({ one: safe('do one') }, (run, world) => run.step('one', () => world.act('one')).then(() => {}), {
        afterCrash: 'report',
      }),
      onDisk: true,
    });
    await using _ = house;
    house.world.close('one');
    await house.say('carol', '!work');
    house.kill();
    house.refuseAtStart = full;
    await house.reopen();
    expect(house.states()).toEqual(['running']);
    house.power.refuses = undefined;
    await house.pass(2000);
    expect(house.states()).toEqual(['interrupted']);
  });
});

describe('makeSafe', () => {
  const steps: Steps = { stop: safe('stop the service'), copy: safe('copy'), start: safe('start the service') };
  const apply = async (run: RunHands<string>, world: World): Promise<void> => {
    await run.step('stop', () => world.act('stop'));
    await run.step('copy', () => world.act('copy'));
    await run.step('start', () => world.act('start'));
  };

  test('after a crash that is not resumed, what must not stay stopped is started, once, and told', async () => {
    const commands = (world: World): Record<string, Command> =>
      work(steps, apply, {
        afterCrash: 'report',
        makeSafe: async (_plan, _ports, run) => {
          if (!run.done('stop') || run.done('start')) return undefined;
          await world.act('start');
          return 'the service runs again';
        },
      })(world);
    await using house = await killedIn('copy', commands);
    expect(house.states()).toEqual(['interrupted']);
    expect(house.world.done).toEqual(['stop', 'start']);
    expect(house.last()).toContain('the service runs again');
    expect(house.ledger.lockHolder('work')).toBeUndefined();
  });

  test('that it failed is told too', async () => {
    const commands = work(steps, apply, {
      afterCrash: 'report',
      makeSafe: () => Promise.reject(new OpsError('unavailable', 'systemd does not answer.')),
    });
    await using house = await killedIn('copy', commands);
    expect(house.states()).toEqual(['interrupted']);
    expect(house.last()).toContain('make it safe again: systemd does not answer.');
  });
});
