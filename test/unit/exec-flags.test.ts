import { expect, test } from 'vitest';
import { asOpsError } from '#domain/errors.ts';
import { readExecFlags } from '#src/exec-flags.ts';

const refused = (how: 'exec' | 'approve', ...argv: string[]): string => {
  try {
    readExecFlags(how, argv);
  } catch (error) {
    const { kind, message, hint } = asOpsError(error);
    return `${kind}: ${message} ${hint}`;
  }
  return 'taken';
};

test.each([
  [
    ['!deactivate mallory', '--break-glass', 'alone'],
    'invalid: --break-glass goes before the command. Nothing was done.',
  ],
  [['!deactivate', 'mallory', '--break-glass=alone'], 'invalid: --break-glass goes before the command.'],
  [['!status', '--settings', 'x.yaml'], 'invalid: --settings goes before the command.'],
  [['--settings', 'x.yaml'], 'invalid: exec needs a command.'],
])('%j is refused in two lines, with where to read more', (argv, said) => {
  expect(refused('exec', ...argv)).toContain(said);
  expect(refused('exec', ...argv)).toContain('npm start -- exec --help');
});

test('flags before the command are the shell’s, those of the command its own', () => {
  const line = ['--break-glass', 'alone', '!deactivate', '--erase', 'mallory'];
  expect(readExecFlags('exec', line)).toMatchObject({ breakGlass: 'alone', text: '!deactivate --erase mallory' });
  expect(refused('approve')).toContain('npm start -- approve --help');
});
