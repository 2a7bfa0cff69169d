/** The examples under docs/, run as a reader would: in a project of its own that has ringlog and the clients as packages. */
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { expect, it } from 'vitest';
import { run } from '../support/process.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const root = join(import.meta.dirname, '../..');

it('the vitest suite with a broker in place of a container passes, and its process ends', async () => {
  const project = temporaryFolder();
  cpSync(join(root, 'docs/examples/vitest'), project, { recursive: true });
  writeFileSync(join(project, 'package.json'), '{ "type": "module" }');
  const packages = {
    ringlog: root,
    vitest: join(root, 'node_modules/vitest'),
    '@platformatic/kafka': join(root, 'node_modules/@platformatic/kafka'),
  };
  for (const [name, from] of Object.entries(packages)) {
    const to = join(project, 'node_modules', name);
    mkdirSync(dirname(to), { recursive: true });
    symlinkSync(from, to, 'dir');
  }
  const env = { ...process.env, RINGLOG_CI_REPORTS: undefined, VITEST: undefined };
  const suite = run(process.execPath, [join(packages.vitest, 'vitest.mjs'), 'run', '--root', project], { cwd: project, env });
  expect([await suite.ended, suite.stderr()]).toEqual([0, '']);
  expect(stripVTControlCharacters(suite.stdout())).toMatch(/Tests +2 passed/);
});
