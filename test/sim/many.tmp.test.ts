import { test } from 'vitest';
import { runSeed } from './scenario.ts';
const first = Number(process.env['SIM_SEED'] ?? 1);
const count = Number(process.env['SIM_SEEDS'] ?? 150);
test('many', { timeout: 3_600_000 }, () => {
  const seen = new Map<string, number[]>();
  for (let seed = first; seed < first + count; seed++) {
    try {
      runSeed({ seed });
    } catch (error) {
      const e = error as Error;
      const key = `${e.name}: ${e.message.replaceAll(/\d+|[0-9a-f]{16}/g, '#').slice(0, 200)}`;
      if (!seen.has(key)) console.log(seed, e.stack?.split('\n').slice(0, 8).join('\n'));
      seen.set(key, [...(seen.get(key) ?? []), seed]);
    }
  }
  for (const [key, seeds] of seen) console.log(`${seeds.length} × ${key} [${seeds.slice(0, 8).join(',')}]`);
});
