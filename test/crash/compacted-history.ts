/**
 * What clients wrote into logs that are compacted, and what a broker must make of it after its process died: of every key, the last record that was acknowledged or
 * one that was sent behind it; nothing that was never sent, nothing under another offset. The same for committed offsets of groups, whose log is compacted, too.
 */
import { offsetCommit } from '../../src/protocol/apis/08-offset-commit.ts';
import { deleteGroups } from '../../src/protocol/apis/42-delete-groups.ts';
import { buildBatch } from '../../src/protocol/record.ts';
import { fetchOffsets, findGroup } from '../support/group-member.ts';
import type { KafkaClient } from '../support/kafka-client.ts';

interface Sent {
  readonly key: string;
  readonly value: string;
  /** −1 until it was acknowledged, or seen. */
  offset: number;
}

/** A compacted topic in `fsync`; one connection writes to it. */
export class CompactedHistory {
  readonly name: string;
  private isThere = false;
  private readonly sent: Sent[] = [];

  constructor(name: string) {
    this.name = name;
  }

  async create(client: KafkaClient): Promise<void> {
    const configs = { 'cleanup.policy': 'compact', 'segment.bytes': String(1 << 20), 'ringlog.durability': 'fsync' };
    await client.createTopic(this.name, 1, configs);
    this.isThere = true;
  }

  /** Writes a record for each of the keys, in flight together. */
  async put(client: KafkaClient, keys: readonly string[], bytes: number): Promise<void> {
    await Promise.all(
      keys.map(async (key) => {
        const entry: Sent = { key, value: `${this.sent.length} `.padEnd(bytes, '.'), offset: -1 };
        this.sent.push(entry);
        const answer = await client.produce(this.name, 0, buildBatch({ records: [{ key, value: entry.value }] }));
        if (answer.errorCode !== 0) throw new Error(`${this.name}: error ${answer.errorCode}`);
        entry.offset = answer.baseOffset;
      }),
    );
  }

  clone(): CompactedHistory {
    const twin = new CompactedHistory(this.name);
    twin.isThere = this.isThere;
    twin.sent.push(...structuredClone(this.sent));
    return twin;
  }

  /** Holds the log against what was sent. Returns the last record of each key. @param exists whether the broker knows the topic */
  async verify(client: KafkaClient, exists: boolean): Promise<string> {
    if (!exists && this.isThere) throw new Error(`topic ${this.name} is gone`);
    if (!exists) return '';
    const byValue = new Map(this.sent.map((entry, index) => [entry.value, { entry, index }]));
    const last = new Map<string, number>();
    let before = -1;
    for (const { offset, key, value } of await client.readAll(this.name, 0)) {
      const what = `${this.name}: offset ${offset}`;
      const found = byValue.get(value);
      if (found === undefined || found.entry.key !== key) throw new Error(`${what} holds what was never sent`);
      if (offset <= before) throw new Error(`${what} stands behind offset ${before}`);
      if (found.entry.offset >= 0 && found.entry.offset !== offset)
        throw new Error(`${what} holds what was acknowledged as ${found.entry.offset}`);
      found.entry.offset = before = offset;
      last.set(key, found.index);
    }
    this.sent.forEach(({ key, offset, value }, index) => {
      if (offset >= 0 && (last.get(key) ?? -1) < index)
        throw new Error(
          `${this.name}: ${key} had ${value.slice(0, 10)} acknowledged and now has ${this.sent[last.get(key) ?? -1]?.value.slice(0, 10)}`,
        );
    });
    const shown = [...last].map(([key, index]) => `${key}: ${this.sent[index]?.value.slice(0, 10)}`).sort();
    return `${this.name}: ${shown.join(', ')}`;
  }
}

interface Group {
  sent: number;
  acknowledged: number;
  state: 'there' | 'deleting' | 'gone';
}

/** Groups that commit from outside, for one partition. */
export class GroupsHistory {
  private readonly groups = new Map<string, Group>();

  /** Commits the next offset in each of the groups, at the same time. */
  async commit(client: KafkaClient, groupIds: readonly string[], topic: string, bytes = 0): Promise<void> {
    for (const groupId of groupIds) await findGroup(client, groupId);
    await Promise.all(
      groupIds.map(async (groupId) => {
        const group = this.groups.get(groupId) ?? { sent: 0, acknowledged: 0, state: 'there' };
        this.groups.set(groupId, group);
        const offset = ++group.sent;
        const partitions = [{ partitionIndex: 0, committedOffset: BigInt(offset), committedMetadata: 'm'.repeat(bytes) }];
        const answer = await client.request(offsetCommit, 9, { groupId, topics: [{ name: topic, partitions }] });
        const { errorCode } = answer.topics[0]!.partitions[0]!;
        if (errorCode !== 0) throw new Error(`commit of ${groupId}: error ${errorCode}`);
        group.acknowledged = offset;
      }),
    );
  }

  async delete(client: KafkaClient, groupId: string): Promise<void> {
    const group = this.groups.get(groupId)!;
    group.state = 'deleting';
    const { errorCode } = (await client.request(deleteGroups, 2, { groupsNames: [groupId] })).results[0]!;
    if (errorCode !== 0) throw new Error(`deletion of ${groupId}: error ${errorCode}`);
    group.state = 'gone';
  }

  clone(): GroupsHistory {
    const twin = new GroupsHistory();
    for (const [groupId, group] of this.groups) twin.groups.set(groupId, { ...group });
    return twin;
  }

  /** Returns what is committed. */
  async verify(client: KafkaClient): Promise<string> {
    const shown: string[] = [];
    for (const [groupId, group] of this.groups) {
      await findGroup(client, groupId);
      const found = Object.values((await fetchOffsets(client, groupId))!)[0];
      if (group.state === 'gone' && found !== undefined) throw new Error(`deleted group ${groupId} is back at ${found}`);
      if (group.state === 'there' && (found ?? 0) < group.acknowledged)
        throw new Error(`group ${groupId} had ${group.acknowledged} acknowledged and is at ${found}`);
      if ((found ?? 0) > group.sent) throw new Error(`group ${groupId} is at ${found}, which was never sent`);
      group.acknowledged = found ?? 0;
      // A deletion that was not answered has happened or not.
      if (group.state === 'deleting') group.state = found === undefined ? 'gone' : 'there';
      shown.push(`${groupId}: ${found}`);
    }
    return shown.join(', ');
  }
}
