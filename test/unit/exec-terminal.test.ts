import { PassThrough } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { beforeEach, expect, test } from 'vitest';
import { ShellTerminal } from '#src/exec-terminal.ts';

let input: PassThrough;
let output: PassThrough;
beforeEach(() => {
  input = new PassThrough();
  output = new PassThrough();
});
function shown(): string {
  let text = '';
  for (let chunk = output.read() as Buffer | null; chunk; chunk = output.read() as Buffer | null)
    text += chunk.toString();
  return text;
}

test.each([
  ['y', true],
  ['YES', true],
  ['', false],
  ['yeah', false],
  ['n', false],
])('%j is a yes: %s, and nothing more is said of it', async (line, yes) => {
  const terminal = new ShellTerminal({ input, output });
  const answer = terminal.confirm();
  input.write(`${line}\n`);
  expect(await answer).toBe(yes);
  terminal[Symbol.dispose]();
  await turn();
  expect(shown()).toBe('\nDo it? (y/N) ');
});

test('an input that has ended is a no, and says so', async () => {
  using terminal = new ShellTerminal({ input, output });
  input.end();
  expect(await terminal.confirm()).toBe(false);
  expect(shown()).toContain('Nobody can answer here: the input has ended. That is a no.');
});
