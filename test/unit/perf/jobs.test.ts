/** What the harness is told and would not do is refused: the recorded command would claim it. */
import { expect, test } from 'vitest';
import { checkTaken } from '../../../perf/lib/jobs.mjs';

const scenarios = new Map(
  [{ name: 'bulk', takes: ['phase', 'bytes'] }, { name: 'small' }, { name: 'embedding', refuses: ['bin', 'set'] }].map((one) => [
    one.name,
    one,
  ]),
);
const check = (words: string[], identity: Record<string, unknown>) => () => checkTaken(scenarios, words, identity);

test('an option that a scenario does not have is refused, naming those that have it', () => {
  expect(check(['small'], { phase: 'fresh' })).toThrow("--phase: 'small' has none; bulk take it");
  expect(check(['bulk', 'small'], { bytes: '1g' })).toThrow("--bytes: 'small' has none");
  expect(check(['bulk'], { phase: 'fresh', bytes: '1g', points: undefined })).not.toThrow();
});

test('one that a scenario cannot follow is refused, and an empty list is not given', () => {
  expect(check(['embedding'], { bin: 'x.js', set: [] })).toThrow("--bin: 'embedding' starts its brokers by itself");
  expect(check(['embedding'], { set: [] })).not.toThrow();
});

test("with 'all' each scenario takes what it knows", () => {
  expect(check(['all'], { phase: 'fresh' })).not.toThrow();
});
