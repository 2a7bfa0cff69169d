/** kaskade, a user interface for Kafka in the terminal, and of the well-known ones the one that a package registry has. The checks are in Python; each comes here as a line of JSON. */

import { join } from 'node:path';
import { runReporter } from '../lib/command.mjs';
import { interopFolder } from '../lib/places.mjs';

export { kaskade as tools } from '../lib/tools.mjs';

const TIMEOUT_MS = 180_000;

export async function run({ report, broker, tools }) {
  const args = ['-u', join(interopFolder, 'ui', 'main.py'), broker.address];
  await runReporter(report, 'ui', tools.interpreter, args, {
    timeoutMs: TIMEOUT_MS,
    env: { PYTHONDONTWRITEBYTECODE: '1' },
    endsFeature: 'ui',
  });
}
