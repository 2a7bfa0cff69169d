/** CI's counting must be honest: what it cannot read counts as nothing, and a file that did not load counts as a failure. */

import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const script = join(import.meta.dirname, '../../../.ci/count.mjs');
const report = (passed: number, failed: number, pending: number, testResults: object[] = []): string =>
  JSON.stringify({ numPassedTests: passed, numFailedTests: failed, numPendingTests: pending, numTodoTests: 0, testResults });

function counted(reports: readonly string[], log?: string): { sums: string; wrong: string } {
  const folder = join(temporaryFolder(), 'stage');
  mkdirSync(folder);
  reports.forEach((text, index) => writeFileSync(join(folder, `${index}.json`), text));
  if (log !== undefined) writeFileSync(`${folder}.log`, log);
  const { stdout, stderr } = spawnSync(process.execPath, [script, folder, `${folder}.log`], { encoding: 'utf8' });
  return { sums: stdout.trim(), wrong: stderr.trim() };
}

const count = (...args: Parameters<typeof counted>): string => counted(...args).sums;

describe('counting what a stage ran', () => {
  it('adds up every report', () => expect(count([report(3, 1, 2), report(4, 0, 0)])).toBe('7 1 2'));

  it('counts a test file that could not be loaded', () => {
    expect(count([report(3, 0, 0, [{ status: 'failed', assertionResults: [] }])])).toBe('3 1 0');
  });

  it('names what was skipped, and what failed with the beginning of what it said', () => {
    const assertionResults = ['passed', 'skipped', 'failed', 'todo'].map((status) => ({
      fullName: `a ${status} one`,
      status,
      failureMessages: status === 'failed' ? [`Error: 1 is not 2\nat ${'x'.repeat(5000)}`] : [],
    }));
    const { sums, wrong } = counted([report(1, 1, 2, [{ status: 'failed', assertionResults }])]);
    expect(sums).toBe('1 1 2');
    expect(wrong).toMatch(/^SKIPPED a skipped one\nFAILED a failed one\n {2}Error: 1 is not 2\n {2}at x{1400,1500}\nSKIPPED a todo one$/);
  });

  it('names a file that could not be loaded, and the failures of a log without a report', () => {
    expect(
      counted([report(0, 0, 0, [{ name: 'a.test.ts', status: 'failed', assertionResults: [], message: 'no such module' }])]).wrong,
    ).toBe('FAILED a.test.ts\n  no such module');
    expect(counted([], 'ok   a\nFAIL kcat · groups · late (1 s)\nFAILED types (2 s)\n1 passed, 2 failed\n').wrong).toBe(
      'FAIL kcat · groups · late (1 s)\nFAILED types (2 s)',
    );
  });

  it('takes the last closing line when there is no report', () => {
    expect(count([], 'x\n1 passed, 1 failed\nmore\n12 passed, 0 failed, 3 skipped\n')).toBe('12 0 3');
    expect(count([], 'crash: 60 passed, 0 failed\n')).toBe('60 0 0');
  });

  it('finds nothing where nothing is', () => {
    expect(count([], 'all 12 passed, 0 failed they say\n')).toBe('0 0 0');
    expect(count([])).toBe('0 0 0');
  });
});
