/**
 * `npm run check`: everything that judges the code without running it. All checks run even if one fails; each says its name, its time, and, when it fails, its output.
 * Ends with "N passed, N failed".
 */

import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
process.chdir(root);
mkdirSync('.cache', { recursive: true });

const tool = (name) => join(root, 'node_modules', '.bin', name);

const CHECKS = [
  ['types', tool('tsc'), ['-p', 'test']],
  ['lint', tool('oxlint'), ['--deny-warnings']],
  ['format', tool('prettier'), ['--check', '.']],
  ['import directions', tool('depcruise'), ['src']],
  ['dead code', tool('knip'), ['--no-progress']],
  ['package', tool('publint'), ['--strict']],
  ['installed size', process.execPath, ['.ci/installed-size.mjs']],
  ['generated docs', process.execPath, ['.ci/docs.mjs', '--check']],
];

let failed = 0;
for (const [name, command, args] of CHECKS) {
  const startedMs = performance.now();
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    encoding: 'utf8',
    shell: process.platform === 'win32',
    maxBuffer: 64 * 1024 * 1024,
  });
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  const ok = status === 0;
  if (!ok) failed += 1;
  process.stdout.write(`${ok ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)\n`);
  if (!ok) process.stdout.write(`${stdout ?? ''}${stderr ?? ''}${error instanceof Error ? `${error.message}\n` : ''}\n`);
}
process.stdout.write(`${CHECKS.length - failed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;
