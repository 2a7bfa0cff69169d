/** Consumer groups whose log is compacted all the time, over stops and kill -9: nothing that was acknowledged goes back, nothing that is gone comes again. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { offsetCommit } from '../../src/protocol/apis/08-offset-commit.ts';
import { describeGroups } from '../../src/protocol/apis/15-describe-groups.ts';
import { deleteGroups } from '../../src/protocol/apis/42-delete-groups.ts';
import { delay, eventually, startBroker, type BrokerProcess } from '../support/broker-process.ts';
import { fetchOffsets, findGroup, GroupMember } from '../support/group-member.ts';
import { ConnectionLost, type KafkaClient } from '../support/kafka-client.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const MIB = 1 << 20;
const SETTINGS = {
  'group.initial.rebalance.delay.ms': 0,
  'offsets.topic.num.partitions': 2,
  'offsets.topic.segment.bytes': MIB,
  'offsets.retention.check.interval.ms': 50,
  'log.cleaner.backoff.ms': 20,
  'log.cleaner.min.cleanable.ratio': 0.01,
  // Tombstones go with the pass after the one that finds nothing older.
  'log.cleaner.delete.retention.ms': 100,
  'ringlog.checkpoint.interval.ms': 100,
};
const GROUPS = 6;
const METADATA = 'm'.repeat(4000);

/** What is known of a group from its answers. */
interface Known {
  /** The highest offset that was acknowledged. */
  acknowledged: number;
  /** The highest that was sent. */
  sent: number;
}

async function commit(client: KafkaClient, groupId: string, offset: number, { partition = 0, retentionMs = -1 } = {}): Promise<number> {
  const partitions = [{ partitionIndex: partition, committedOffset: BigInt(offset), committedMetadata: METADATA }];
  const version = retentionMs < 0 ? 9 : 2;
  const answer = await client.request(offsetCommit, version, {
    groupId,
    retentionTimeMs: BigInt(retentionMs),
    topics: [{ name: 't', partitions }],
  });
  return answer.topics[0]!.partitions[0]!.errorCode;
}

/** Names of the segments of `__consumer_offsets` that compaction wrote. */
function compacted({ dataDir }: BrokerProcess): string[] {
  const topics = join(dataDir, 'topics');
  return readdirSync(topics)
    .flatMap((id) => readdirSync(join(topics, id)).flatMap((partition) => readdirSync(join(topics, id, partition))))
    .filter((name) => /^\d+\.\d+\.log$/.test(name));
}

async function stateOf(client: KafkaClient, groupId: string): Promise<string> {
  return (await client.request(describeGroups, 5, { groups: [groupId] })).groups[0]!.groupState;
}

test('over five lives no offset goes back, deleted groups and expired offsets stay away, members go on', { timeout: 240_000 }, async () => {
  const dataDir = join(temporaryFolder(), 'data');
  const known = new Map<string, Known>(Array.from({ length: GROUPS }, (_, n) => [`g${n}`, { acknowledged: 0, sent: 0 }]));
  const deleted: string[] = [];
  const expired: string[] = [];
  let member: GroupMember | null = null;
  for (let life = 0; life < 5; life++) {
    const broker = await startBroker({ dataDir, settings: SETTINGS });
    const client = await broker.connect();
    if (life === 0) await client.createTopic('t', 2);

    // What is there is what was acknowledged, or what was sent behind it.
    for (const [groupId, { acknowledged, sent }] of known) {
      await findGroup(client, groupId);
      const found = (await fetchOffsets(client, groupId))!['t-0'] ?? 0;
      expect(found, `offset of ${groupId} in life ${life}`).toBeGreaterThanOrEqual(acknowledged);
      expect(found).toBeLessThanOrEqual(sent);
      if (life > 0) expect((await fetchOffsets(client, groupId))!['t-1']).toBe(7);
    }
    for (const groupId of [...deleted, ...expired]) {
      expect(await fetchOffsets(client, groupId), `${groupId} in life ${life}`).toEqual({});
      expect(await stateOf(client, groupId)).toBe('Dead');
    }
    if (member === null) {
      member = new GroupMember(client, 'static', { groupInstanceId: 'i', sessionTimeoutMs: 300_000 });
      await member.find();
      await member.settle();
    } else {
      const { memberId, generationId }: GroupMember = member;
      member = Object.assign(new GroupMember(client, 'static', { groupInstanceId: 'i', sessionTimeoutMs: 300_000 }), {
        memberId,
        generationId,
      });
      expect(await member.heartbeat(), `heartbeat in life ${life}`).toBe(0);
    }

    // Some that will not be there any more, and those whose second offset is never touched again.
    const [goes, ends] = [`deleted-${life}`, `expired-${life}`];
    expect(await commit(client, goes, 5)).toBe(0);
    expect(await commit(client, ends, 5, { retentionMs: 1 })).toBe(0);
    if (life === 0) for (const groupId of known.keys()) expect(await commit(client, groupId, 7, { partition: 1 })).toBe(0);
    expect((await client.request(deleteGroups, 2, { groupsNames: [goes] })).results[0]!.errorCode).toBe(0);
    deleted.push(goes);
    await eventually(async () => Object.keys((await fetchOffsets(client, ends))!).length === 0, 'the offset expires');
    await eventually(async () => (await stateOf(client, ends)) === 'Dead', 'so does its group');
    expired.push(ends);

    const before = new Set(compacted(broker));
    let passes = 0;
    const ending = new AbortController();
    const commits = [...known].map(async ([groupId, each]) => {
      const own = await broker.connect();
      try {
        while (!ending.signal.aborted) {
          const offset = ++each.sent;
          expect(await commit(own, groupId, offset)).toBe(0);
          each.acknowledged = offset;
        }
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error;
      }
    });
    await eventually(() => {
      for (const name of compacted(broker)) {
        if (before.has(name)) continue;
        before.add(name);
        passes++;
      }
      return passes >= 4;
    }, 'the log is compacted several times');
    // Anywhere within a pass.
    await delay(37 * life);
    if (life === 2) {
      ending.abort();
      await Promise.all(commits);
      expect((await broker.stop()).code).toBe(0);
    } else {
      await broker.kill();
      await Promise.all(commits);
    }
    expect(broker.log.filter(({ level }) => level === 'error' || level === 'fatal')).toEqual([]);
  }
});
