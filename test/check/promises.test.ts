import { expect, test } from 'vitest';
import { promiseProblems } from './promises.ts';

const readme = (...rows: string[]): string =>
  [
    '# Bot',
    '## What it promises',
    '',
    '| promise | how | proved by |',
    '| - | - | - |',
    ...rows,
    '',
    '## Next',
    '| a | b |',
  ].join('\n');
const files: Record<string, string> = {
  'test/e2e/once.test.ts': `test('A1, A2: each ends once', () => {});\ntest.each([1])(\`A3: %s\`, () => {});\n// B1: a comment\n`,
};
const problems = (...rows: string[]): string[] =>
  promiseProblems(readme(...rows), (path) => files[path]).map(({ line, what }) => `${line}: ${what}`);

test('K2: a promise with tests that name it is fine', () => {
  expect(
    problems('| Once | stored | `test/e2e/once.test.ts` A1, A3 |', '| Asked | yes | `test/e2e/once.test.ts` |'),
  ).toEqual([]);
});

test('K2: a promise without a test, with one that is not there or does not name it is a problem', () => {
  expect(
    problems(
      '| Once | stored | later |',
      '| Twice | never | `test/e2e/gone.test.ts` A1 |',
      '| Thrice | never | `test/e2e/once.test.ts` A1 A4 |',
      '| A comment | is no title | `test/e2e/once.test.ts` B1 |',
      '| A \\| b | in the last cell only `test/e2e/once.test.ts` | |',
    ),
  ).toEqual([
    '6: no test proves "Once"',
    '7: there is no test/e2e/gone.test.ts',
    '8: no test in test/e2e/once.test.ts has A4 in its title',
    '9: no test in test/e2e/once.test.ts has B1 in its title',
    '10: no test proves "A \\| b"',
  ]);
});

test('K2: a README without promises is a problem', () => {
  expect(promiseProblems('# Bot\n', () => '')).toHaveLength(1);
  expect(promiseProblems(readme(), () => '')).toHaveLength(1);
});
