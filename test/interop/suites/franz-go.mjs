/** franz-go, with its admin client. The checks are in Go; each comes here as a line of JSON. */

import { runReporter } from '../lib/command.mjs';
import { checkCompacted } from '../lib/compacted-topic.mjs';
import { checkGroupOfThree } from '../lib/group-of-three.mjs';
import { checkOverRestart } from '../lib/over-restart.mjs';

export { franzGo as tools } from '../lib/tools.mjs';

const TIMEOUT_MS = 300_000;

export async function run({ report, broker, tools }) {
  await runReporter(report, 'franz-go', tools.binary, [broker.address], { timeoutMs: TIMEOUT_MS });
  const member = (balancer) => ({ command: tools.binary, args: (...of) => [broker.address, 'member', ...of, balancer] });
  await checkGroupOfThree(report, 'franz-go', broker, member('range'));
  await checkCompacted(report, 'franz-go', broker, member('range'));
  await checkGroupOfThree(report, 'franz-go', broker, { ...member('cooperative'), feature: 'cooperative' });
  await checkOverRestart(report, 'franz-go', broker, tools.binary, [broker.address, 'restart']);
}
