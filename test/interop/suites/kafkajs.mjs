/** kafkajs, with its codec packages, on a current Node. Each check comes here as a line of JSON. */

import { join } from 'node:path';
import { runReporter } from '../lib/command.mjs';
import { checkCompacted } from '../lib/compacted-topic.mjs';
import { checkGroupOfThree } from '../lib/group-of-three.mjs';
import { checkOverRestart } from '../lib/over-restart.mjs';
import { interopFolder } from '../lib/places.mjs';
import { javascriptClient } from '../lib/tools.mjs';

const TIMEOUT_MS = 300_000;

export const tools = () => javascriptClient('kafkajs');

export async function run({ report, broker, tools: { node, folder } }) {
  const args = [join(interopFolder, 'javascript', 'kafkajs.mjs'), folder, broker.address];
  await runReporter(report, 'kafkajs', node, args, { timeoutMs: TIMEOUT_MS });
  const member = { command: node, args: (...of) => [...args, 'member', ...of] };
  await checkGroupOfThree(report, 'kafkajs', broker, member);
  await checkCompacted(report, 'kafkajs', broker, member);
  await checkOverRestart(report, 'kafkajs', broker, node, [...args, 'restart']);
  report.cannot('kafkajs', 'api-versions', 'has no public call for it');
}
