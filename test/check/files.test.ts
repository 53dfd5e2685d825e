import { describe, expect, it } from 'vitest';
import { fileProblems } from './files.ts';

const said = (path: string, text: string): string[] =>
  fileProblems({ path, text }).map(({ line, what }) => `${line}: ${what}`);
// Written in parts, so that the check does not find this file.
const join = (...parts: string[]): string => parts.join('');

describe('what is looked for in files', () => {
  it('a long file in src and storage, not elsewhere', () => {
    const long = 'a\n'.repeat(301);
    expect(said('src/domain/runs.ts', long)).toEqual(['301: 301 lines; at most 300: it has more than one job']);
    expect(said('storage/ledger.ts', long)).toHaveLength(1);
    expect(said('src/domain/runs.ts', 'a\n'.repeat(300))).toEqual([]);
    expect(said('test/unit/runs.test.ts', long)).toEqual([]);
  });

  it.each(['utils', 'helpers', 'common', 'manager', 'service', 'core'])('a file or folder called %s', (name) => {
    expect(said(`src/engine/${name}.ts`, '')).toHaveLength(1);
    expect(said(`test/${name}/x.ts`, '')).toHaveLength(1);
  });
  it('but names that only contain such a word are fine', () => {
    expect(said('src/adapters/services/open.ts', '')).toEqual([]);
    expect(said('src/engine/score.ts', '')).toEqual([]);
  });
  it('file names that are not kebab-case', () => {
    expect(said('src/domain/inboxItem.ts', '')).toEqual(['1: file names are kebab-case']);
  });

  it.each([
    ['src/x.ts', join('const a = "/wo', 'rk/main";'), 'a path of one machine'],
    ['README.md', join('see /ho', 'me/alice/x'), 'a path of one machine'],
    ['.npmrc', join('registry=https://registry.npm', 'js.org'), 'the host of a package registry'],
    ['Dockerfile', join('ENV GOPROXY=https://proxy.gol', 'ang.org'), 'the host of a package registry'],
    [
      'test/unit/a.test.ts',
      join('it.on', 'ly("x", () => {})'),
      'a test that does not run, or keeps others from running',
    ],
    ['test/unit/a.test.ts', join('  describe.sk', 'ip("x")'), 'a test that does not run, or keeps others from running'],
    ['test/unit/a.test.ts', join('test.to', 'do("x")'), 'a test that does not run, or keeps others from running'],
    [
      'src/a.ts',
      join('// oxlint-dis', 'able-next-line opsroom/arrows -- no'),
      "one of the project's own rules is switched off",
    ],
    ['src/a.ts', join('/* eslint-dis', 'able */'), 'all rules are switched off: name the one'],
    ['src/a.ts', join('// @ts-ig', 'nore'), 'types are not checked here: use @ts-expect-error and say why'],
  ])('%s: %s', (path, line, what) => {
    expect(said(path, `first\n${line}\n`)).toEqual([`2: ${what}`]);
  });

  it('but not what only looks like it', () => {
    expect(said('README.md', join('network/wo', 'rk/x /homes and https://x.org/wo', 'rk/1\n'))).toEqual([]);
    expect(said('src/a.ts', '// oxlint-disable-next-line no-await-in-loop -- in order\n')).toEqual([]);
    expect(said('src/a.ts', 'expect.only\n')).toEqual([]);
  });
});
