/** Java's own client. The checks are in Java; each comes here as a line of JSON. */

import { runReporter } from '../lib/command.mjs';
import { checkCompacted } from '../lib/compacted-topic.mjs';
import { checkGroupOfThree } from '../lib/group-of-three.mjs';
import { checkOverRestart } from '../lib/over-restart.mjs';
import { QUICK_START } from '../lib/kafka-tool.mjs';

export { javaClient as tools } from '../lib/tools.mjs';

const TIMEOUT_MS = 300_000;

export async function run({ report, broker, tools }) {
  const args = (main) => ['-Xmx512m', '-cp', tools.classPath, main, broker.address];
  await runReporter(report, 'java', 'java', args('Main'), { timeoutMs: TIMEOUT_MS });
  const member = (assignor) => ({
    command: 'java',
    args: (...of) => ['-Xmx256m', ...args('Member').slice(1), ...of, `org.apache.kafka.clients.consumer.${assignor}`],
    env: QUICK_START,
  });
  await checkGroupOfThree(report, 'java', broker, member('RangeAssignor'));
  await checkCompacted(report, 'java', broker, member('RangeAssignor'));
  await checkGroupOfThree(report, 'java', broker, { ...member('CooperativeStickyAssignor'), feature: 'cooperative' });
  await checkOverRestart(report, 'java', broker, 'java', args('Restart'));
  report.cannot('java', 'api-versions', 'has no public call for it');
}
