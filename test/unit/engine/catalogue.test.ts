import { describe, expect, test } from 'vitest';
import { Flag, none, RestOfLine, RoomRef, User, Word, Words, z } from '#engine/args.ts';
import { argumentsOf, Catalogue } from '#engine/catalogue.ts';
import { type Command, defineQuery } from '#engine/command.ts';
import { shapeOf } from '#engine/shape.ts';
import { World } from '#test/fakes/world.ts';
import { hello, remove, tick } from '#test/fixtures/small-commands.ts';

const query = (args: z.ZodObject, positional: string[] = [], set: object = {}): Command => ({
  ...defineQuery({ summary: 'x', examples: [''], args, positional, answer: () => 1, view: () => ({ title: 'x' }) }),
  ...set,
});
const world = new World();
const of = (commands: Record<string, Command>): Catalogue => new Catalogue(new Map(Object.entries(commands)));

describe('a declaration that cannot work stops the start and is named', () => {
  test.each<[string, Record<string, Command>, string]>([
    [
      'an argument that nobody can read',
      { odd: query(z.strictObject({ x: z.string() }), ['x']) },
      '!odd: argument "x" is not made of the types',
    ],
    ['a place for an argument that is not there', { odd: query(none, ['x']) }, '!odd: no argument "x"'],
    [
      'free text before another argument',
      { odd: query(z.strictObject({ text: RestOfLine, word: Word }), ['text', 'word']) },
      '!odd: only the last argument',
    ],
    ['no example', { odd: query(none, [], { examples: [] }) }, '!odd: no example'],
    [
      'a child that would parse as its parent’s argument',
      { list: query(z.strictObject({ text: Words }), ['text']), 'list all': query(none) },
      '!list all would also parse',
    ],
  ])('%s', (_, commands, why) => expect(() => of(commands)).toThrow(why));

  test('a child beside an argument that is a user or a room is fine', () => {
    expect(
      of({
        call: query(z.strictObject({ room: RoomRef }), ['room']),
        'call kick': query(none),
        user: query(z.strictObject({ user: User }), ['user']),
      }).names(),
    ).toEqual(['call', 'call kick', 'user']);
  });
});

describe('what can be typed', () => {
  test('arguments: in their order, then flags, required or not', () => {
    const command = query(z.strictObject({ soft: Flag, text: RestOfLine.optional(), user: User }), ['user', 'text']);
    expect(
      argumentsOf(command).map(({ name, kind, required, positional }) => [name, kind, required, positional]),
    ).toEqual([
      ['user', 'user', true, true],
      ['text', 'rest', false, true],
      ['soft', 'flag', false, false],
    ]);
  });

  test('as help shows it', () => {
    const catalogue = of({ remove: remove(world), hello: hello() });
    expect(catalogue.find('remove')).toMatchObject({
      usage: 'remove [--dry-run] [--soft] @user <reason>',
      examples: ['remove mallory spam'],
      role: 'operator',
      change: true,
      confirm: 'caller',
      undo: 'fully',
      off: undefined,
    });
    expect(catalogue.find('hello')).toMatchObject({
      usage: 'hello [whom]',
      examples: ['hello', 'hello you'],
      change: false,
      confirm: 'none',
      undo: undefined,
    });
    expect(catalogue.find('nothing')).toBeUndefined();
    expect(catalogue.list().map(({ name }) => name)).toEqual(['hello', 'remove']);
  });

  test('a part that is off is named', () => {
    const catalogue = new Catalogue(new Map([['hello', hello()]]), () => 'calls');
    expect(catalogue.find('hello')?.off).toBe('calls');
  });

  test('the policy is told what the declaration says', () => {
    const catalogue = of({});
    expect(catalogue.ruleOf('remove', remove(world))).toEqual({
      name: 'remove',
      role: 'operator',
      change: true,
      confirm: 'caller',
      runsPaused: false,
    });
    expect(catalogue.ruleOf('hello', hello())).toEqual({
      name: 'hello',
      role: undefined,
      change: false,
      confirm: 'none',
      runsPaused: true,
    });
    expect(catalogue.ruleOf('tick', tick(world, { runsPaused: true }))).toMatchObject({
      runsPaused: true,
      change: true,
    });
  });

  test('the nearest names, the nearest first', () => {
    const catalogue = of({
      disable: query(none),
      enable: query(none),
      user: query(none),
      users: query(none),
      'backup now': query(none),
    });
    expect(catalogue.near('diable')).toEqual(['disable', 'enable']);
    expect(catalogue.near('usres')).toEqual(['users']);
    expect(catalogue.near('USER')).toEqual(['user', 'users']);
    expect(catalogue.near('backup nwo')).toEqual(['backup now']);
    expect(catalogue.near('x')).toEqual([]);
  });
});

describe('the shape of a change', () => {
  const shape = (set: object = {}): string => shapeOf({ ...remove(world), ...set } as never);
  test('stays with words and work, moves with plan and steps', () => {
    const same = shape();
    expect(shape({ summary: 'y', apply: () => 1, describe: () => 1, examples: [] })).toBe(same);
    const { steps } = remove(world) as unknown as { steps: Record<string, object> };
    expect(shape({ steps: { ...steps, suspend: { ...steps['suspend'], title: 'other words' } } })).toBe(same);
    expect(shape({ steps: { ...steps, suspend: { ...steps['suspend'], again: 'never' } } })).not.toBe(same);
    expect(shape({ steps: { ...steps, suspend: { ...steps['suspend'], keep: false } } })).not.toBe(same);
    expect(shape({ steps: { ...steps, more: { title: 'x', again: 'safe' } } })).not.toBe(same);
    expect(shape({ plan: z.strictObject({ user: z.string() }) })).not.toBe(same);
  });
});
