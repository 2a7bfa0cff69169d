/** confluent-kafka, Python on the newest librdkafka. The checks are in Python; each comes here as a line of JSON. */

import { join } from 'node:path';
import { runReporter } from '../lib/command.mjs';
import { checkCompacted } from '../lib/compacted-topic.mjs';
import { checkGroupOfThree } from '../lib/group-of-three.mjs';
import { checkOverRestart } from '../lib/over-restart.mjs';
import { interopFolder } from '../lib/places.mjs';

export { python as tools } from '../lib/tools.mjs';

const TIMEOUT_MS = 300_000;

const ENV = { PYTHONDONTWRITEBYTECODE: '1' };

export async function run({ report, broker, tools }) {
  const args = (script) => ['-u', join(interopFolder, 'python', script), broker.address];
  await runReporter(report, 'python', tools.interpreter, args('main.py'), { timeoutMs: TIMEOUT_MS, env: ENV });
  const member = (strategy) => ({ command: tools.interpreter, env: ENV, args: (...of) => [...args('member.py'), ...of, strategy] });
  await checkGroupOfThree(report, 'python', broker, member('range'));
  await checkCompacted(report, 'python', broker, member('range'));
  await checkGroupOfThree(report, 'python', broker, { ...member('cooperative-sticky'), feature: 'cooperative' });
  await checkOverRestart(report, 'python', broker, tools.interpreter, args('restart.py'), { env: ENV });
  for (const feature of ['log-dirs', 'api-versions']) report.cannot('python', feature, 'has no call for it');
}
