import { defineConfig } from 'vitest/config';

// Two kinds of tests: quick ones that run beside each other, and those with real parts, one file after another, so that
// a machine of two cores measures the bot and not its own crowd.
const root = new URL('..', import.meta.url).pathname;

// A poll ends when its condition holds; the deadline only ends what never will, on the slowest machine.
const expect = { poll: { timeout: 20_000 } };

export default defineConfig({
  root,
  test: {
    teardownTimeout: 60_000,
    projects: [
      {
        root,
        test: {
          name: 'unit',
          include: ['test/{unit,check}/**/*.test.ts'],
          environment: 'node',
          expect,
          pool: 'threads',
          isolate: false,
          sequence: { groupOrder: 0 },
          testTimeout: 30_000,
        },
      },
      {
        root,
        test: {
          name: 'real',
          include: ['test/{contract,integration,e2e}/**/*.test.ts'],
          environment: 'node',
          expect,
          pool: 'forks',
          fileParallelism: false,
          sequence: { groupOrder: 1 },
          // Longer than what is waited for in one: a test that ends first hides what was missing.
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
    ],
  },
});
