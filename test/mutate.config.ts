import { defineConfig } from 'vitest/config';

// What `npm run mutate` runs for each removed guard: the quick tests of the rules, the engine and the memory.
export default defineConfig({
  root: new URL('..', import.meta.url).pathname,
  test: {
    include: ['test/unit/{domain,engine,storage,matrix}/**/*.test.ts'],
    environment: 'node',
    pool: 'threads',
    testTimeout: 60_000,
  },
});
