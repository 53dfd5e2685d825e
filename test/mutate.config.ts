import { defineConfig } from 'vitest/config';

// What `npm run mutate` runs for each removed guard: the quick tests of the rules, the engine and the memory.
export default defineConfig({
  root: new URL('..', import.meta.url).pathname,
  test: {
    include: ['test/unit/{domain,engine,storage,matrix}/**/*.test.ts'],
    // What takes seconds and looks at other parts: it would be run for each guard of the memory, which all stand on.
    exclude: [
      'test/unit/matrix/{hostile,crypto/*}.test.ts',
      'test/unit/engine/{alert-flood,alert-races}.test.ts',
      'test/unit/domain/{slots,scrubber,rota}.test.ts',
      'test/unit/storage/open.test.ts',
    ],
    environment: 'node',
    pool: 'threads',
    testTimeout: 60_000,
  },
});
