/** @platformatic/kafka, on a current Node. Each check comes here as a line of JSON. */

import { join } from 'node:path';
import { runReporter } from '../lib/command.mjs';
import { checkCompacted } from '../lib/compacted-topic.mjs';
import { checkGroupOfThree } from '../lib/group-of-three.mjs';
import { checkOverRestart } from '../lib/over-restart.mjs';
import { interopFolder } from '../lib/places.mjs';
import { javascriptClient } from '../lib/tools.mjs';

const TIMEOUT_MS = 300_000;

export const tools = () => javascriptClient('@platformatic/kafka');

export async function run({ report, broker, tools: { node, folder } }) {
  const args = [join(interopFolder, 'javascript', 'platformatic.mjs'), folder, broker.address];
  await runReporter(report, 'platformatic', node, args, { timeoutMs: TIMEOUT_MS });
  const member = (...assignor) => ({ command: node, args: (...of) => [...args, 'member', ...of, ...assignor] });
  await checkGroupOfThree(report, 'platformatic', broker, member());
  await checkCompacted(report, 'platformatic', broker, member());
  await checkGroupOfThree(report, 'platformatic', broker, { ...member('cooperative-sticky'), feature: 'cooperative' });
  await checkOverRestart(report, 'platformatic', broker, node, [...args, 'restart']);
  report.cannot('platformatic', 'api-versions', 'has no public call for it');
}
