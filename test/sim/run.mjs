/**
 * `npm run sim`: the simulator from a seed on.
 *
 *   npm run sim -- --seed 4711              repeats one run
 *   npm run sim -- --seed 1 --seeds 1000    a thousand of them
 *   npm run sim -- --seed 4711 --trace      shows every message between main and shards
 */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string' },
    trace: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h' },
  },
});
if (values.help) {
  console.log(
    'npm run sim -- [--seed N] [--seeds COUNT] [--trace]\n\nWithout --seed: 300 runs from a fresh seed. With it: that one, or COUNT from there.',
  );
  process.exit(0);
}
for (const name of ['seed', 'seeds']) {
  if (values[name] === undefined || /^\d+$/.test(values[name])) continue;
  console.error(`--${name} ${values[name]}: a whole number is wanted, for example --${name} 42`);
  process.exit(2);
}
const seed = values.seed ?? String(Math.floor(Math.random() * 1e9));
const seeds = values.seeds ?? (values.seed === undefined ? '300' : '1');
console.log(`simulator: ${seeds} seed(s) from ${seed}`);
const { status } = spawnSync(
  process.execPath,
  ['node_modules/vitest/vitest.mjs', 'run', 'test/sim/simulation.test.ts', ...(values.trace ? ['--disable-console-intercept'] : [])],
  { stdio: 'inherit', env: { ...process.env, SIM_SEED: seed, SIM_SEEDS: seeds, ...(values.trace ? { SIM_TRACE: '1' } : {}) } },
);
process.exitCode = status ?? 1;
