import { defineConfig } from 'vitest/config';

/**
 * `npm test` runs the folders below that exist. Unit, golden and sim import `src/` and start no thread; integration runs the built `dist/`
 * in processes of its own. Stress, fuzz, crash and interop have verbs of their own.
 */
export default defineConfig({
  test: {
    include: ['test/{unit,golden,sim,integration}/**/*.test.ts'],
    pool: 'forks',
    testTimeout: 20_000,
    hookTimeout: 20_000,
    teardownTimeout: 10_000,
    // A leftover process or handle is a bug of the test, and is told instead of waited for.
    dangerouslyIgnoreUnhandledErrors: false,
    passWithNoTests: false,
  },
});
