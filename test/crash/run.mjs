/**
 * `npm run crash`: every crash point. `-- --sample K`: K of them, drawn by `--seed S`. `-- --random N`: N deaths at random moments under load instead, with
 * `--idempotent` under producers that go on over every death. Prints
 * `crash: N passed, N failed` before vitest's own summary, and ends with vitest's exit code.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const {
  values: { idempotent, ...values },
} = parseArgs({
  options: { sample: { type: 'string' }, seed: { type: 'string' }, random: { type: 'string' }, idempotent: { type: 'boolean' } },
});
for (const [name, value] of Object.entries(values)) {
  if (/^\d+$/.test(value)) continue;
  process.stderr.write(`--${name} takes a number\n`);
  process.exit(2);
}
const root = join(import.meta.dirname, '../..');
const file = idempotent ? 'idempotent' : values.random === undefined ? 'points' : 'random';
const seed = values.seed ?? String(Math.trunc(performance.timeOrigin) % 1_000_000);
const env = { ...process.env, CRASH_SEED: seed, CRASH_SAMPLE: values.sample ?? '0', CRASH_RANDOM: values.random ?? '10' };
const args = [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--project', 'crash', `test/crash/${file}.test.ts`];
const { status } = spawnSync(process.execPath, args, { cwd: root, env, stdio: 'inherit' });
process.exitCode = status ?? 1;
