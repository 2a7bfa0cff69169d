import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

/** Where CI collects what was run; see `.ci/run`. */
const reports = process.env['RINGLOG_CI_REPORTS'];

/** The simulators have to catch bugs that are planted for them: a test of the tests, a minute long, which `npm run ci:sim` runs. */
const PLANTED = 'test/sim/planted*.test.ts';

/**
 * One project for each folder of test: `npx vitest run --project unit`. `npm test` runs the first four, the others have verbs of their own.
 * Unit, golden, sim and fuzz import `src/` and start no thread; integration and what comes after it run the built `dist/`,
 * or a part of it alone from `build/`.
 */
const FOLDERS = ['unit', 'golden', 'sim', 'integration', 'fuzz', 'stress', 'crash', 'interop'];

/** Hundreds of short files of tests that leave nothing behind share their processes and modules: to begin one anew takes longer than most of them run. */
const SHARED = new Set(['unit', 'golden']);

export default defineConfig({
  test: {
    projects: [
      ...FOLDERS.map((name) => ({
        extends: true as const,
        test: { name, include: [`test/${name}/**/*.test.ts`], exclude: [PLANTED], isolate: !SHARED.has(name) },
      })),
      { extends: true, test: { name: 'planted', include: [PLANTED] } },
    ],
    pool: 'forks',
    // Most of an integration test is waiting for brokers, of a simulation none: two at a time use two processors.
    maxWorkers: 2,
    // Tests that run at the same time start brokers, and those have threads of their own.
    maxConcurrency: 2,
    // Only against hanging; what waits for something by itself gives up earlier and says for what (test/support/limits.ts).
    testTimeout: 300_000,
    hookTimeout: 300_000,
    teardownTimeout: 60_000,
    passWithNoTests: false,
    ...(reports === undefined ? {} : { reporters: ['default', ['json', { outputFile: join(reports, `${process.pid}.json`) }]] }),
  },
});
