import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { BotProcess } from '#test/fixtures/bot-process.ts';
import { installMs } from '#test/ops-room.ts';

const readme = join(import.meta.dirname, '..', '..', 'README.md');

// What the README shows is played against the real parts: sandbox, bot, prompt and pager in one go.
test('the tour of the README is true', { timeout: installMs }, async () => {
  const expectations = (await readFile(readme, 'utf8')).split('```console opsroom-tour')[1]?.split('```')[0] ?? '';
  expect(expectations.match(/^</gm)?.length).toBeGreaterThan(10);
  await using tour = new BotProcess(['--script', readme]);
  const { code } = await tour.exited;
  expect(code, tour.output.slice(-4000)).toBe(0);
  expect(tour.output).toContain('expectations met');
});
