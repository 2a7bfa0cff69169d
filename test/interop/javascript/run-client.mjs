/**
 * Runs the checks of a JavaScript client, those of all and its own; or, with mode `restart`, what goes on over a restart of the broker; or, with mode `member`, a member
 * of a group.
 */

import { Checks } from './checks.mjs';
import { addProducerChecks, addReadChecks, addTopicChecks } from './common-checks.mjs';
import { addGroupChecks, runMember } from './group-checks.mjs';
import { overRestart } from './over-restart.mjs';

export async function runClient(client, mode, { memberOf, addOwnChecks, addNotServed, words }) {
  if (mode === 'restart') return overRestart(client);
  if (mode === 'member') return runMember(client, ...memberOf);
  const checks = new Checks();
  addOwnChecks(checks, client);
  addTopicChecks(checks, client, words);
  addProducerChecks(checks, client);
  addReadChecks(checks, client);
  addGroupChecks(checks, client, words);
  addNotServed(checks, client);
  return checks.run();
}
