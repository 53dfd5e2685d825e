import { describe, expect, test } from 'vitest';
import { parseUserId } from '#domain/accounts.ts';
import { OpsError } from '#domain/errors.ts';
import { argumentsOf, Catalogue } from '#engine/catalogue.ts';
import type { Command } from '#engine/command.ts';
import { checkArgs, findCommand, readArgs } from '#engine/parse.ts';
import { shapeOf } from '#engine/shape.ts';
import { discover } from '#src/discover.ts';

const isCommand = (value: unknown): value is Command => typeof value === 'object' && value !== null && 'kind' in value;
const commands = await discover(new URL('../../../src/commands/', import.meta.url), isCommand);
const catalogue = new Catalogue(commands);
const context = { prefix: '!', bot: parseUserId('@opsroom:example.org'), serverName: 'example.org', links: [] };
const all = [...commands];
const changes = all.flatMap(([name, command]) => (command.kind === 'change' ? [[name, command] as const] : []));
// Nothing of these can be undone in full.
const destructive = ['deactivate', 'disable', 'call kick'];

test('every file of src/commands is a command, and the catalogue takes them all', () => {
  expect(commands.size).toBeGreaterThan(30);
  expect(catalogue.names()).toContain('backup now');
});

describe.each(all)('!%s', (name, command) => {
  test('each example parses against its declaration, and is this command', () => {
    for (const example of command.examples) {
      const line = `!${name} ${example}`.trim();
      const parsed = findCommand(line, catalogue, context);
      expect(parsed, line).toMatchObject({ kind: 'command', name });
      if (parsed.kind !== 'command') continue;
      const typed = readArgs(parsed, catalogue, context);
      expect(checkArgs(typed, catalogue, context), line).toBeTypeOf('object');
    }
  });

  test('the examples together use every argument', () => {
    const used = new Set(
      command.examples.flatMap((example) => {
        const parsed = findCommand(`!${name} ${example}`.trim(), catalogue, context);
        return parsed.kind === 'command' ? Object.keys(readArgs(parsed, catalogue, context).args) : [];
      }),
    );
    const positional = argumentsOf(command).filter((argument) => argument.positional);
    expect(positional.filter((argument) => !used.has(argument.name)).map((argument) => argument.name)).toEqual([]);
  });

  test('each switch is explained, and a wrong value is told in words that teach', () => {
    for (const argument of argumentsOf(command)) {
      const said = catalogue.find(name)?.args.find((arg) => arg.name === argument.name)?.summary ?? '';
      expect(said, argument.name).toMatch(/^.{5,}$/u);
      if (argument.kind === 'flag') expect(said, `--${argument.name} needs .describe(…)`).not.toContain('a switch');
      for (const wrong of ['', 'no such thing', '-1', '1e3', '\u202e', 'x'.repeat(70_000), 7, null]) {
        const args = Object.fromEntries(argumentsOf(command).map((one) => [one.name, undefined]));
        try {
          checkArgs(
            { name, command, args: { ...args, [argument.name]: wrong } as never, dryRun: false },
            catalogue,
            context,
          );
        } catch (error) {
          const { message, hint = '' } = error as OpsError;
          expect(error).toBeInstanceOf(OpsError);
          expect(message + hint).not.toMatch(
            /Invalid (input|option|string)|[Ee]xpected|received|Too (big|small)|undefined|NaN|\[object/,
          );
          expect(message.length).toBeLessThan(71_000);
        }
      }
    }
  });

  test('says what it does in a sentence, and needs no port twice', () => {
    expect(command.summary).toMatch(/^[A-Z].{5,110}\.$/u);
    const ports = [...(command.needs ?? []), ...(command.wants ?? [])];
    expect(new Set(ports).size).toBe(ports.length);
  });
});

describe.each(changes)('the change !%s', (name, command) => {
  test('has a role, steps with titles, a plan that is bound, and says how it is confirmed and undone', () => {
    expect(command.role).toBeDefined();
    expect(['none', 'caller', 'two-person']).toContain(command.confirm);
    expect(['fully', 'partly', 'none']).toContain(command.undo);
    expect(['resume', 'restart', 'report']).toContain(command.afterCrash);
    expect(Object.keys(command.steps).length).toBeGreaterThan(0);
    for (const step of Object.values(command.steps)) {
      expect(step.title).toMatch(/^[a-z].{2,60}$/u);
      expect(['safe', 'look', 'never']).toContain(step.again);
    }
    expect(shapeOf(command)).toMatch(/^[0-9a-f]{16}$/);
  });

  test('what must not be done twice is not begun again by itself', () => {
    const steps = Object.values(command.steps);
    expect(command.afterCrash === 'restart' && steps.some((step) => step.again === 'never')).toBe(false);
    expect(steps.filter((step) => step.keep === false && step.again !== 'safe')).toEqual([]);
  });

  test('nothing that people lose something by goes without a yes', () => {
    expect(destructive.includes(name) && command.confirm === 'none').toBe(false);
    expect(command.confirm === 'two-person' && command.undo === 'fully').toBe(false);
  });

  test('what undoes it parses', () => {
    if (!command.inverse) return;
    const plan = {
      user: '@mallory:example.org',
      role: 'operator',
      before: 'operator',
      by: '@a:example.org',
      reason: 'x',
      pausedBy: '@a:example.org',
    };
    const line = `!${command.inverse(plan)}`;
    const parsed = findCommand(line, catalogue, context);
    if (parsed.kind !== 'command') throw new Error(line);
    expect(checkArgs(readArgs(parsed, catalogue, context), catalogue, context), line).toBeTypeOf('object');
  });
});

test('what cannot be undone at all asks first, but for what only speaks or saves', () => {
  const unasked = changes
    .filter(([, command]) => command.undo === 'none' && command.confirm === 'none')
    .map(([name]) => name);
  expect(unasked.toSorted()).toEqual(['ack', 'backup now', 'backup verify', 'page']);
});

test('surface.md: who may call what', () => {
  const roles = Object.groupBy(all, ([, command]) => command.role ?? 'anyone');
  const names = (role: string): string[] => (roles[role as keyof typeof roles] ?? []).map(([name]) => name).toSorted();
  expect(names('anyone')).toEqual(['help', 'ping', 'version', 'whoami']);
  expect(names('owner')).toEqual(['people add', 'people remove', 'people set']);
  expect(names('admin')).toEqual([
    'audit',
    'audit export',
    'audit verify',
    'crypto reset',
    'crypto status',
    'crypto verify',
    'deactivate',
  ]);
  expect(names('operator')).toEqual(
    expect.arrayContaining([
      'ack',
      'backup now',
      'backup verify',
      'call kick',
      'cancel',
      'disable',
      'enable',
      'pause',
      'resume',
    ]),
  );
});

test('the pause never stops pages, acknowledgements and its own end', () => {
  const goesOn = changes.filter(([, command]) => command.runsPaused).map(([name]) => name);
  expect(goesOn).toEqual(expect.arrayContaining(['ack', 'page', 'pause', 'resume']));
  expect(goesOn).not.toEqual(expect.arrayContaining(['disable']));
});
