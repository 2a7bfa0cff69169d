// One record into every partition of a topic: its files are made then.

/** Partitions in one produce request. */
const AT_ONCE = 250;

/** @param {{ produceEach: Function }} client of client.mjs @param {string} topic @param {number} count its partitions */
export async function recordIntoEach(client, topic, count) {
  for (let from = 0; from < count; from += AT_ONCE) {
    const refused = await client.produceEach(topic, from, Math.min(count, from + AT_ONCE));
    if (refused > 0) throw new Error(`${refused} of the partitions from ${from} on were refused`);
  }
}
