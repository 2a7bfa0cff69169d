/** confluent-kafka, Python on the newest librdkafka. The checks are in Python; each comes here as a line of JSON. */

import { join } from 'node:path';
import { runReporter } from '../lib/command.mjs';
import { checkOverRestart } from '../lib/over-restart.mjs';
import { interopFolder } from '../lib/places.mjs';

export { python as tools } from '../lib/tools.mjs';

const TIMEOUT_MS = 300_000;

const ENV = { PYTHONDONTWRITEBYTECODE: '1' };

export async function run({ report, broker, tools }) {
  const args = (script) => ['-u', join(interopFolder, 'python', script), broker.address];
  await runReporter(report, 'python', tools.interpreter, args('main.py'), { timeoutMs: TIMEOUT_MS, env: ENV });
  await checkOverRestart(report, 'python', broker, tools.interpreter, args('restart.py'), { env: ENV });
}
