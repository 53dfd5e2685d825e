import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

// Plants one violation per file in a project of its own and lets the real linter with the real configuration find them.

const root = fileURLToPath(new URL('../..', import.meta.url));

const planted: Record<string, [rule: string, text: string]> = {
  'src/domain/static.ts': ['opsroom(arrows)', `import { door } from '#engine/door.ts';\ndoor();\n`],
  'src/domain/type.ts': ['opsroom(arrows)', `import type { Door } from '../engine/door.ts';\nexport type D = Door;\n`],
  'src/domain/inline-type.ts': ['opsroom(arrows)', `export type D = import('#engine/door.ts').Door;\n`],
  'src/domain/export.ts': ['opsroom(arrows)', `export { door } from '#engine/door.ts';\n`],
  'src/domain/export-all.ts': ['opsroom(arrows)', `export * from '#engine/door.ts';\n`],
  'src/domain/dynamic.ts': ['opsroom(arrows)', `export const load = () => import('#engine/door.ts');\n`],
  'src/domain/computed.ts': ['opsroom(arrows)', `export const load = (name: string) => import(\`./\${name}.ts\`);\n`],
  'src/domain/package.ts': ['opsroom(arrows)', `import postgres from 'postgres';\npostgres();\n`],
  'src/main.ts': ['opsroom(arrows)', `import { run } from '#sandbox/run.ts';\nrun();\n`],
  'src/engine/env.ts': ['opsroom(environment)', `export const home = process.env['HOME'];\n`],
  'src/adapters/http/env.ts': ['opsroom(environment)', `export const { env } = process;\n`],
  'storage/env.ts': ['opsroom(environment)', `import { env } from 'node:process';\nexport const home = env['HOME'];\n`],
  'src/engine/global-env.ts': ['opsroom(environment)', `export const home = globalThis.process.env['HOME'];\n`],
  'src/domain/now.ts': ['opsroom(clock)', `export const now = () => Date.now();\n`],
  'src/domain/temporal.ts': ['opsroom(clock)', `export const now = () => Temporal.Now.instant();\n`],
  'src/engine/date.ts': ['opsroom(clock)', `export const today = () => new Date();\n`],
  'src/engine/timer.ts': ['opsroom(clock)', `export const later = (act: () => void) => setTimeout(act, 1);\n`],
  'storage/performance.ts': ['opsroom(clock)', `export const t = () => performance.now();\n`],
  'src/app.ts': [
    'opsroom(clock)',
    `export { setTimeout } from './x.ts';\nimport { setInterval } from 'node:timers/promises';\nsetInterval(1);\n`,
  ],
  'src/adapters/http/now.ts': ['opsroom(clock)', `export const now = () => Date.now();\n`],
  'src/adapters/http/exec.ts': ['opsroom(children)', `import { exec } from 'node:child_process';\nexec('ls');\n`],
  'src/adapters/http/all.ts': [
    'opsroom(children)',
    `import * as children from 'node:child_process';\nchildren.execSync('ls');\n`,
  ],
  'test/shell.ts': [
    'opsroom(children)',
    `import { spawn } from 'node:child_process';\nspawn('ls', { shell: true });\n`,
  ],
  'src/engine/console.ts': ['eslint(no-console)', `console.log('hello');\n`],
  'src/engine/any.ts': ['typescript(no-explicit-any)', `export const f = (x: any) => String(x);\n`],
  'src/engine/floating.ts': [
    'typescript(no-floating-promises)',
    `export const f = () => { void 0; Promise.resolve(1); };\n`,
  ],
};
const clean: Record<string, string> = {
  'src/domain/date.ts': `export const at = (ms: number) => new Date(ms);\n`,
  'src/adapters/system/clock.ts': `export const now = () => Date.now();\nexport const env = 1;\n`,
  'src/adapters/http/timeout.ts': `export const later = (act: () => void) => setTimeout(act, 1);\n`,
  'src/settings.ts': `export const home = process.env['HOME'];\n`,
  'src/sandbox/home.ts': `export const home = process.env['HOME'] ?? String(Date.now());\n`,
  'src/engine/person.ts': `export const person = { shell: 'alice' };\n`,
};

type Diagnostic = { code: string; filename: string };
let directory: string;
let found: Diagnostic[];

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'opsroom-lint-'));
  const texts = { ...clean, ...Object.fromEntries(Object.entries(planted).map(([path, [, text]]) => [path, text])) };
  for (const [path, text] of Object.entries(texts)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), text);
  }
  symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'));
  writeFileSync(
    join(directory, 'tsconfig.json'),
    JSON.stringify({ extends: join(root, 'tsconfig.json'), include: ['src', 'storage', 'test'] }),
  );
  const args = [
    join(root, 'node_modules/oxlint/bin/oxlint'),
    '--type-aware',
    '-f',
    'json',
    '-c',
    join(root, '.oxlintrc.json'),
    'src',
    'storage',
    'test',
  ];
  const output = await new Promise<string>((done) => {
    execFile(process.execPath, args, { cwd: directory }, (_, stdout) => done(stdout));
  });
  found = (JSON.parse(output) as { diagnostics: Diagnostic[] }).diagnostics;
}, 60_000);
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe('the linter', () => {
  it.each(Object.entries(planted).map(([path, [rule]]) => [path, rule]))('finds in %s %s', (path, rule) => {
    expect(found.filter((one) => one.filename === path).map((one) => one.code)).toContain(rule);
  });
  it.each(Object.keys(clean))('finds nothing in %s', (path) => {
    expect(found.filter((one) => one.filename === path)).toEqual([]);
  });
});
