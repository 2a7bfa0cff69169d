/** confluent-kafka, Python on the newest librdkafka. The checks are in Python; each comes here as a line of JSON. */

import { join } from 'node:path';
import { runReporter } from '../lib/command.mjs';
import { interopFolder } from '../lib/places.mjs';

export { python as tools } from '../lib/tools.mjs';

const TIMEOUT_MS = 300_000;

export async function run({ report, broker, tools }) {
  const script = join(interopFolder, 'python', 'main.py');
  await runReporter(report, 'python', tools.interpreter, ['-u', script, broker.address], {
    timeoutMs: TIMEOUT_MS,
    env: { PYTHONDONTWRITEBYTECODE: '1' },
  });
}
