import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileProblems } from './files.ts';
import { promiseProblems } from './promises.ts';

// The part of `npm run check` that no tool does: what the files say, and whether the generated ones are up to date.

const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
  encoding: 'utf8',
});
const paths = listed.split('\0').filter((path) => path !== '' && existsSync(path) && path !== 'package-lock.json');

const problems = paths.flatMap((path) => {
  const bytes = readFileSync(path);
  return bytes.includes(0) ? [] : fileProblems({ path, text: bytes.toString('utf8') });
});
const readFile = (path: string): string | undefined => (existsSync(path) ? readFileSync(path, 'utf8') : undefined);
problems.push(...promiseProblems(readFileSync('README.md', 'utf8'), readFile));
for (const { path, line, what } of problems) console.error(`${path}:${line}: ${what}`);

try {
  execFileSync(process.execPath, ['--disable-warning=DEP0060', 'src/docs.ts', '--check'], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
} catch {
  // It has said itself which files are stale, or why it could not run.
  process.exitCode = 1;
}
if (problems.length > 0) process.exitCode = 1;
if (process.exitCode === undefined) console.log(`${paths.length} files checked.`);
