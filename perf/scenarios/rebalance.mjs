// How long a group of 100 members over 1,000 partitions takes from all joining at once until everybody is at work: without an initial delay, and with the default one.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectClient } from '../lib/client.mjs';
import { figureOf } from '../lib/crowd.mjs';
import { Member } from '../lib/group-load.mjs';
import { startRinglog } from '../lib/servers.mjs';
import { spread } from '../lib/stats.mjs';
import { ringlogOptions } from '../lib/sides.mjs';

const MEMBERS = 100;
const PARTITIONS = 1000;
const DEFAULT_DELAY_MS = 3000;
const LIMIT_MS = 3000;
const HEARTBEAT_MS = 3000;

/** What a consumer does until it is told to end: joins, heartbeats every 3 s, joins again when it is told that others came. */
async function work(member, isOver) {
  while (!isOver()) {
    await member.settle();
    member.isAtWork = true;
    for (let code = 0; code === 0 && !isOver(); code = await member.beat()) await sleep(HEARTBEAT_MS);
    member.isAtWork = false;
  }
}

/** Milliseconds from all joining at once to the moment when all are at work in one generation. */
async function settle(context, delayMs, turn) {
  const dir = join(context.workDir, `rebalance-${delayMs}-${turn}`);
  const settings = [`group.initial.rebalance.delay.ms=${delayMs}`];
  const server = await startRinglog({ dir, ...ringlogOptions(context, settings) });
  const members = Array.from({ length: MEMBERS }, (_, index) => new Member('group', 'work', index));
  let over = false;
  try {
    const client = await connectClient(server.port);
    const created = await client.createTopic('work', {}, PARTITIONS);
    if (created !== 0) throw new Error(`CreateTopics: error ${created}`);
    client.close();
    await Promise.all(members.map((member) => member.connect(server.port)));
    await members[0].find();
    const startedAt = performance.now();
    const working = Promise.all(members.map((member) => work(member, () => over)));
    working.catch(() => undefined);
    const isSettled = () => members.every(({ isAtWork, generation }) => isAtWork && generation === members[0].generation);
    while (!isSettled()) await Promise.race([sleep(2), working]);
    return performance.now() - startedAt;
  } finally {
    over = true;
    for (const member of members) member.close();
    await server.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

export default {
  name: 'rebalance',
  summary: '100 members over 1,000 partitions, from all joining at once until all are at work, without and with the initial delay',
  steps: () => 2,
  async run(context) {
    const results = [];
    for (const delayMs of [0, DEFAULT_DELAY_MS]) {
      const runs = [];
      for (let turn = 1; turn <= context.pairs; turn++) {
        context.progress.step(`initial delay ${delayMs} ms, turn ${turn} of ${context.pairs}`);
        runs.push(await settle(context, delayMs, turn));
        context.progress.done();
      }
      const limit = delayMs + LIMIT_MS;
      const figure = figureOf('ms until all are at work', spread(runs), `<= ${limit}`, (value) => value <= limit);
      results.push({
        label: `${MEMBERS} members, ${PARTITIONS} partitions, initial delay ${delayMs} ms`,
        unit: '',
        figures: [figure],
        runs,
      });
    }
    return results;
  },
};
