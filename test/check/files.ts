// What is looked for in the text of the project's files, apart from the linter.

/** A file of the project: its path from the root, and its text. */
export type ProjectFile = { path: string; text: string };
export type FileProblem = { path: string; line: number; what: string };

const mostLines = 300;
const emptyNames = ['utils', 'util', 'helpers', 'helper', 'common', 'manager', 'service', 'core'];

// Written in parts, so that this file does not find itself.
const machinePaths = new RegExp(['(?<![\\w.~-])/(?:(?:wo', 'rk|fa', 'rm)\\b|(?:ho', 'me|Us', 'ers)/[a-z])'].join(''));
const registries = new RegExp(
  ['registry\\.(?:npm', 'js|yarn', 'pkg)|proxy\\.gol', 'ang|(?:pypi|python', 'hosted)\\.org|deb\\.deb', 'ian'].join(''),
);
const partialTests = new RegExp(
  ['\\b(?:it|test|describe|suite)\\.(?:on', 'ly|sk', 'ip|to', 'do)\\b|\\bx(?:it|describe)\\('].join(''),
);
const silenced = new RegExp(['(?:ox|es)lint-dis', 'able[^\\n]*\\bopsroom/'].join(''));
const blanket = new RegExp(['(?:ox|es)lint-dis', 'able(?:-(?:next-)?line)?\\s*(?:\\*/|--|$)'].join(''));
const unchecked = new RegExp(['@ts-(?:no', 'check|ig', 'nore)'].join(''));

type LineRule = { where: RegExp; found: RegExp; what: string };
const lineRules: LineRule[] = [
  { where: /./, found: machinePaths, what: 'a path of one machine' },
  { where: /./, found: registries, what: 'the host of a package registry' },
  { where: /\.test\.ts$/, found: partialTests, what: 'a test that does not run, or keeps others from running' },
  { where: /\.[cm]?[jt]s$/, found: silenced, what: "one of the project's own rules is switched off" },
  { where: /\.[cm]?[jt]s$/, found: blanket, what: 'all rules are switched off: name the one' },
  { where: /\.[cm]?ts$/, found: unchecked, what: 'types are not checked here: use @ts-expect-error and say why' },
];

/** Everything that is wrong with this file, in the order of its lines. */
export function fileProblems({ path, text }: ProjectFile): FileProblem[] {
  const problems: FileProblem[] = [];
  const lines = text.split('\n');
  const count = text.endsWith('\n') ? lines.length - 1 : lines.length;
  if (/^(src|storage)\/.*\.ts$/.test(path) && count > mostLines) {
    problems.push({
      path,
      line: mostLines + 1,
      what: `${count} lines; at most ${mostLines}: it has more than one job`,
    });
  }
  if (/^(src|storage|test)\//.test(path)) {
    const words = path.toLowerCase().split(/[/.]/);
    const empty = words.find((word) => emptyNames.includes(word));
    if (empty !== undefined)
      problems.push({ path, line: 1, what: `"${empty}" says nothing: name the thing by a noun or a verb` });
    if (/[A-Z_ ]/.test(path) && path.endsWith('.ts'))
      problems.push({ path, line: 1, what: 'file names are kebab-case' });
  }
  const rules = lineRules.filter((rule) => rule.where.test(path));
  for (const [at, line] of lines.entries()) {
    for (const { found, what } of rules) if (found.test(line)) problems.push({ path, line: at + 1, what });
  }
  return problems;
}
