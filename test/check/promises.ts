import type { FileProblem } from './files.ts';

const section = /^## What it promises$/;
const reference = /`(test\/[^`]+\.test\.ts)`((?:,? [A-K]\d+)*)/g;

/**
 * Each promise of the README names the tests that prove it: the last cell of its row holds files and, behind each, the
 * ids that stand in the titles of the tests there. `read` gives a file's text, or undefined when there is none.
 */
export function promiseProblems(readme: string, read: (path: string) => string | undefined): FileProblem[] {
  const problems: FileProblem[] = [];
  const tell = (line: number, what: string): void => void problems.push({ path: 'README.md', line, what });
  const lines = readme.split('\n');
  const start = lines.findIndex((line) => section.test(line));
  const length = lines.slice(start + 1).findIndex((line) => line.startsWith('## '));
  const end = length === -1 ? lines.length : start + 1 + length;
  const rows = lines.flatMap((text, at) =>
    at > start && at < end && text.startsWith('|') ? [{ text, line: at + 1 }] : [],
  );
  // The first two are the head and the line below it.
  const promises = start === -1 ? [] : rows.slice(2);
  if (promises.length === 0) tell(1, 'there is no table of promises under "## What it promises"');
  for (const { text, line } of promises) {
    const cells = text.split(/(?<!\\)\|/).slice(1, -1);
    const proofs = [...(cells.at(-1) ?? '').matchAll(reference)];
    if (proofs.length === 0) tell(line, `no test proves "${cells[0]?.trim() ?? ''}"`);
    for (const [, path = '', ids = ''] of proofs) {
      const test = read(path);
      if (test === undefined) tell(line, `there is no ${path}`);
      for (const id of ids.match(/[A-K]\d+/g) ?? []) {
        if (test !== undefined && !titled(id).test(test)) tell(line, `no test in ${path} has ${id} in its title`);
      }
    }
  }
  return problems;
}

/** A title of a test or of a group of tests with this id in it. */
const titled = (id: string): RegExp =>
  new RegExp(`\\b(?:test|it|describe)(?:\\.\\w+(?:\\([^)]*\\))?)*\\(\\s*(['"\`])(?:(?!\\1)[^])*?\\b${id}\\b`);
