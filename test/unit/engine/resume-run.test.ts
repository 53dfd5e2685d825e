import { describe, expect, test } from 'vitest';
import { none, z } from '#engine/args.ts';
import { type Command, defineChange } from '#engine/command.ts';
import { openTestHouse, type TestHouse } from '#test/fakes/house.ts';
import type { World } from '#test/fakes/world.ts';
import { disabled, Place, realCommands, untouched } from '#test/fixtures/place.ts';

/** `!close`, which must never close twice by itself. */
const close =
  (extra: Record<string, { title: string; again: 'safe' }> = {}) =>
  (world: World): Record<string, Command> => ({
    ...realCommands,
    close: defineChange({
      summary: 'Close it.',
      examples: [''],
      args: none,
      role: 'operator',
      confirm: 'none',
      undo: 'none',
      plan: z.strictObject({ version: z.number() }),
      afterCrash: 'report',
      steps: {
        note: { title: 'note it', again: 'safe' },
        close: { title: 'close it', again: 'never' },
        sweep: { title: 'sweep up', again: 'safe' },
        ...extra,
      },
      prepare: () => ({ plan: { version: world.version }, facts: undefined, touches: { things: ['door'] } }),
      describe: () => ({ title: 'Close?' }),
      async apply(_plan, _ports, run) {
        await run.step('note', () => world.act('note'));
        await run.step('close', () => world.act('close'));
        await run.step('sweep', () => world.act('sweep'));
        return { title: 'closed' };
      },
    }),
  });

/** Killed while it closes. */
async function interrupted(): Promise<TestHouse> {
  const house = openTestHouse({ commands: close(), onDisk: true });
  house.world.close('close');
  await house.say('carol', '!close');
  house.kill();
  house.world.open('close');
  await house.reopen();
  return house;
}

describe('A7 what was interrupted', () => {
  test('is never run again by itself, and goes on when a person says so, from its last step', async () => {
    await using house = await interrupted();
    expect(house.states()).toEqual(['interrupted']);
    expect(house.last()).toContain('Go on from there: !run continue r1');
    expect(house.last()).toContain('Leave it as it is: !run abandon r1');
    house.kill();
    await house.reopen();
    expect(house.world.done).toEqual(['note']);
    // The world moved by its own steps: that is no reason to stop.
    house.world.version = 2;
    await house.say('carol', '!run continue r1');
    const { text } = house.question();
    expect(text).toContain('Go on with close (r1), which was interrupted?');
    expect(text).toContain('perhaps done already, and done again by a yes: close it');
    expect(text).toContain('done: note it');
    expect(text).toContain('left: sweep up');
    expect(house.world.done).toEqual(['note']);
    expect(house.states()).toEqual(['waiting']);
    await house.react('carol', '✅');
    expect(house.states()).toEqual(['done']);
    expect(house.world.done).toEqual(['note', 'close', 'sweep']);
    expect(house.ledger.lockHolder('door')).toBeUndefined();
    expect(
      house.ledger
        .audit({ run: 1 })
        .map(({ outcome }) => outcome)
        .toReversed(),
    ).toEqual(['begun', 'interrupted', 'asked', 'granted', 'begun', 'done']);
  });

  test('a no, silence or a kill meanwhile leave it interrupted, and it can be asked for again', async () => {
    await using house = await interrupted();
    await house.say('carol', '!run continue r1');
    await house.react('carol', '❌');
    expect(house.states()).toEqual(['interrupted']);
    await house.say('carol', '!run continue r1');
    await house.pass(301_000);
    expect(house.states()).toEqual(['interrupted']);
    await house.say('carol', '!run continue 1');
    house.kill();
    await house.reopen();
    await house.react('carol', '✅');
    expect(house.states()).toEqual(['done']);
    expect(house.world.done).toEqual(['note', 'close', 'sweep']);
  });

  test('killed again after the yes it is interrupted again', async () => {
    await using house = await interrupted();
    house.world.close('close');
    await house.say('carol', '!run continue r1');
    await house.react('carol', '✅');
    house.kill();
    house.world.open('close');
    await house.reopen();
    expect(house.states()).toEqual(['interrupted']);
    expect(house.world.done).toEqual(['note']);
  });

  test('whoever may not type the command may not continue it, nor while changes are paused', async () => {
    await using house = await interrupted();
    expect((await house.say('vera', '!run continue r1')).join()).toContain('needs the role operator');
    await house.say('bob', '!pause moving');
    expect((await house.say('carol', '!run continue r1')).join()).toContain('Changes are paused');
    expect(house.states()[0]).toBe('interrupted');
  });

  test('left as it is it ends as partial, by its caller or an admin', async () => {
    await using house = await interrupted();
    house.operators.add({
      user: '@dave:example.org' as never,
      role: 'operator',
      addedBy: '@alice:example.org' as never,
      at: 0,
    });
    house.join('dave');
    expect((await house.say('dave', '!run abandon r1')).join()).toContain('Only @carol:example.org or an admin');
    await house.say('bob', '!run abandon r1');
    expect(house.states()).toEqual(['partial']);
    expect(house.room.texts().join('\n')).toContain('close stopped half-way: @bob:example.org leaves it as it is.');
    expect((await house.say('carol', '!run continue r1')).join()).toContain('only an interrupted one can go on');
    expect((await house.say('bob', '!run abandon r1')).join()).toContain('only an interrupted one can be left');
  });

  test('of another version it cannot go on', async () => {
    let commands = close();
    const house = openTestHouse({ commands: (world) => commands(world), onDisk: true });
    await using _ = house;
    house.world.close('close');
    await house.say('carol', '!close');
    house.kill();
    commands = close({ more: { title: 'do more', again: 'safe' } });
    house.world.open('close');
    await house.reopen();
    expect((await house.say('carol', '!run continue r1')).join()).toContain('Another version of the bot began r1');
  });
});

describe('!undo', () => {
  test('is a new run of the inverse, which asks as usual; once', async () => {
    const place = new Place();
    await using house = place.house;
    await house.say('carol', '!disable mallory spam');
    expect((await house.say('carol', '!undo r1')).join()).toContain('there is nothing to undo yet');
    await house.react('carol', '✅');
    expect(await place.mallorys()).toEqual(disabled);
    await house.say('carol', '!undo r1');
    expect(house.question().text).toContain('Enable @mallory:example.org?');
    expect(await place.mallorys()).toEqual(disabled);
    await house.react('carol', '✅');
    expect(house.states()).toEqual(['done', 'done']);
    expect(house.run(2)).toMatchObject({ command: 'enable', undoOf: 1 });
    expect(await place.mallorys()).toMatchObject({ locked: false, projects: untouched.projects });
    expect((await house.say('carol', '!undo r1')).join()).toContain('Run r1 was undone already, by r2.');
  });

  test('what cannot be undone, or is not there, says so; the role of the inverse counts', async () => {
    const place = new Place();
    await using house = place.house;
    await house.say('carol', '!disable mallory spam');
    await house.react('carol', '❌');
    expect((await house.say('carol', '!undo r1')).join()).toContain(
      'Run r1 ended as denied: there is nothing to undo.',
    );
    expect((await house.say('carol', '!undo r99')).join()).toContain('There is no run r99.');
    await house.say('bob', '!deactivate mallory');
    await house.approve('alice');
    expect((await house.say('bob', '!undo r2')).join()).toContain('!deactivate cannot be undone.');
    await house.say('alice', '!people add vera operator');
    expect((await house.say('vera', '!undo r1')).join()).toContain('needs the role operator');
  });
});
