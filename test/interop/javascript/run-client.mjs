/** Runs the checks of a JavaScript client, those of all and its own; or, with mode `restart`, what goes on over a restart of the broker. */

import { Checks } from './checks.mjs';
import { addProducerChecks, addReadChecks, addTopicChecks } from './common-checks.mjs';
import { overRestart } from './over-restart.mjs';

export async function runClient(client, mode, { addOwnChecks, addNotServed, words }) {
  if (mode === 'restart') return overRestart(client);
  const checks = new Checks();
  addOwnChecks(checks, client);
  addTopicChecks(checks, client, words);
  addProducerChecks(checks, client);
  addReadChecks(checks, client);
  addNotServed(checks, client);
  return checks.run();
}
