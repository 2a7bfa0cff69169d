// A job is a scenario with one durability: what a result is of, and what can be left out when it is there already.
import { createHash } from 'node:crypto';

/**
 * The jobs that words of the command line mean. A scenario that leaves the durability open has one for each that it is measured with by default, or the one asked for.
 * @param {Map<string, any>} scenarios
 * @param {string[]} words
 * @param {string | undefined} durability
 */
export function jobsOf(scenarios, words, durability) {
  const names = words.includes('all') ? [...scenarios.keys()] : words;
  return names.flatMap((name) => {
    const scenario = scenarios.get(name);
    if (!scenario) throw new Error(`no scenario '${name}': ${[...scenarios.keys()].join(', ')}, all, micro, alloc, model, look, report`);
    if (!scenario.durabilities) {
      if (durability && !words.includes('all')) throw new Error(`--durability: '${name}' says itself what its topics promise`);
      return [{ name, scenario, durability: undefined }];
    }
    const each = durability ? [durability] : scenario.durabilities;
    return each.map((one) => ({ name: `${name} ${one}`, scenario, durability: one }));
  });
}

/** Options that only some scenarios take. */
const TAKEN_BY_SOME = ['phase', 'points', 'bytes'];

/**
 * Throws for an option that one of the named scenarios would leave out: the command that is recorded would claim it. With 'all', each takes what it knows.
 * @param {Map<string, any>} scenarios
 * @param {string[]} words
 * @param {Record<string, unknown>} identity as the command line has it
 */
export function checkTaken(scenarios, words, identity) {
  if (words.includes('all')) return;
  const isGiven = (option) => identity[option] !== undefined && (!Array.isArray(identity[option]) || identity[option].length > 0);
  for (const name of words) {
    const { takes = [], refuses = [] } = scenarios.get(name);
    for (const option of TAKEN_BY_SOME) {
      if (!isGiven(option) || takes.includes(option)) continue;
      const those = [...scenarios.values()].filter((one) => one.takes?.includes(option)).map((one) => one.name);
      throw new Error(`--${option}: '${name}' has none; ${those.join(', ')} take it`);
    }
    const refused = refuses.find(isGiven);
    if (refused !== undefined) throw new Error(`--${refused}: '${name}' starts its brokers by itself and does not take it`);
  }
}

/** Peers that were asked for and that a scenario cannot be measured against. */
export function peersWithout(job, peers) {
  return peers.filter((peer) => !(job.scenario.peers ?? []).includes(peer));
}

/**
 * The same for the same job at the same commit with the same options. Uncommitted changes have no name: such results are never taken for a job that is to be done.
 * @param {string} commit as the machine's description has it
 */
export function keyOf(job, identity, commit) {
  return createHash('sha256')
    .update(JSON.stringify([job.name, identity, commit]))
    .digest('hex')
    .slice(0, 16);
}
