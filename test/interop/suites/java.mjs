/** Java's own client. The checks are in Java; each comes here as a line of JSON. */

import { runReporter } from '../lib/command.mjs';

export { javaClient as tools } from '../lib/tools.mjs';

const TIMEOUT_MS = 300_000;

export async function run({ report, broker, tools }) {
  await runReporter(report, 'java', 'java', ['-Xmx512m', '-cp', tools.classPath, 'Main', broker.address], { timeoutMs: TIMEOUT_MS });
}
