/** Runs every generator of documentation beside this file (`generate-*.mjs`), with the arguments given: none to write, `--check` to compare. */

import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = dirname(fileURLToPath(import.meta.url));

for (const name of readdirSync(folder).filter((file) => /^generate-.*\.mjs$/.test(file))) {
  try {
    execFileSync(process.execPath, [join(folder, name), ...process.argv.slice(2)], { stdio: 'inherit' });
  } catch {
    process.exitCode = 1; // it has said why
  }
}
