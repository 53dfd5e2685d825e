import { execFile } from 'node:child_process';
import { appendFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';

const script = fileURLToPath(new URL('../../src/docs.ts', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'opsroom-docs-'));
afterAll(() => rmSync(directory, { recursive: true }));

const run = (...args: string[]): Promise<{ code: unknown; said: string }> =>
  new Promise((done) => {
    const argv = ['--disable-warning=DEP0060', script, '--into', directory, ...args];
    execFile(process.execPath, argv, (error, stdout) => done({ code: error?.code ?? 0, said: stdout }));
  });

it('generated files are stale until they are written, and again when one was changed by hand', async () => {
  const names = ['commands.md', 'opsroom.example.yaml', 'opsroom.schema.json', 'settings.md'];
  const missing = await run('--check');
  expect(missing.code).toBe(1);
  for (const name of names) expect(missing.said).toContain(`${name} is stale`);
  expect(readdirSync(directory)).toEqual([]);

  expect(await run()).toMatchObject({ code: 0 });
  expect(readdirSync(directory).toSorted()).toEqual(names);
  expect(await run('--check')).toEqual({ code: 0, said: '' });

  appendFileSync(join(directory, 'settings.md'), 'by hand\n');
  const changed = await run('--check');
  expect(changed.code).toBe(1);
  expect(changed.said).toMatch(/^\S*settings\.md is stale: npm run docs writes it\n$/);
}, 60_000);
