/** The rdkafka crate, Rust on librdkafka. The checks are in Rust; each comes here as a line of JSON. */

import { runReporter } from '../lib/command.mjs';
import { checkCompacted } from '../lib/compacted-topic.mjs';
import { checkGroupOfThree } from '../lib/group-of-three.mjs';
import { checkOverRestart } from '../lib/over-restart.mjs';

export { rustClient as tools } from '../lib/rust-client.mjs';

const TIMEOUT_MS = 300_000;

export async function run({ report, broker, tools }) {
  await runReporter(report, 'rust', tools.binary, [broker.address], { timeoutMs: TIMEOUT_MS });
  const member = (strategy) => ({ command: tools.binary, args: (...of) => [broker.address, 'member', ...of, strategy] });
  await checkGroupOfThree(report, 'rust', broker, member('range'));
  await checkCompacted(report, 'rust', broker, member('range'));
  await checkGroupOfThree(report, 'rust', broker, { ...member('cooperative-sticky'), feature: 'cooperative' });
  await checkOverRestart(report, 'rust', broker, tools.binary, [broker.address, 'restart']);
}
