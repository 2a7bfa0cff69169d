/** Java's own client. The checks are in Java; each comes here as a line of JSON. */

import { runReporter } from '../lib/command.mjs';
import { checkOverRestart } from '../lib/over-restart.mjs';

export { javaClient as tools } from '../lib/tools.mjs';

const TIMEOUT_MS = 300_000;

export async function run({ report, broker, tools }) {
  const args = (main) => ['-Xmx512m', '-cp', tools.classPath, main, broker.address];
  await runReporter(report, 'java', 'java', args('Main'), { timeoutMs: TIMEOUT_MS });
  await checkOverRestart(report, 'java', broker, 'java', args('Restart'));
}
