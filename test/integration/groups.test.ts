/** Consumer groups in a real broker: through a rebalance, over kill -9, and what is left of them in the log. */
import { expect, test } from 'vitest';
import { decodeCoordinatorRecord } from '../../src/coordinator/group-records.ts';
import { describeGroups } from '../../src/protocol/apis/15-describe-groups.ts';
import { deleteGroups } from '../../src/protocol/apis/42-delete-groups.ts';
import { ErrorCode } from '../../src/protocol/errors.ts';
import { readRecords } from '../../src/protocol/record.ts';
import { eventually, startBroker, type BrokerProcess } from '../support/broker-process.ts';
import { commitOffset, fetchOffsets, findGroup, GroupMember, type MemberOptions } from '../support/group-member.ts';
import { batchesOf, ConnectionLost } from '../support/kafka-client.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const QUICK = { 'group.initial.rebalance.delay.ms': 0, 'offsets.topic.num.partitions': 4 };

async function member(broker: BrokerProcess, options: MemberOptions = {}): Promise<GroupMember> {
  const joining = new GroupMember(await broker.connect(), 'g', options);
  await joining.find();
  return joining;
}

test('three members share a topic; one dies, one comes, and everybody has what the leader said', async () => {
  const broker = await startBroker({ dataDir: temporaryFolder(), settings: { ...QUICK, 'group.min.session.timeout.ms': 100 } });
  const observer = await broker.connect();
  await observer.createTopic('t', 3);
  const members: GroupMember[] = [];
  const loops: Promise<void>[] = [];
  const start = async (): Promise<void> => {
    const starting = await member(broker, { sessionTimeoutMs: 3000 });
    members.push(starting);
    loops.push(starting.work());
  };
  const isSettled = async (): Promise<boolean> => {
    const group = (await observer.request(describeGroups, 6, { groups: ['g'] })).groups[0]!;
    const ids = group.members.map(({ memberId }) => memberId).sort();
    return (
      group.groupState === 'Stable' &&
      JSON.stringify(ids) === JSON.stringify(members.map(({ memberId }) => memberId).sort()) &&
      members.every((each) => each.assignment === each.memberId)
    );
  };
  for (let count = 0; count < 3; count++) await start();
  await eventually(isSettled, 'three members are at work');
  members.shift()!.client.close();
  await start();
  await eventually(isSettled, 'the new one has taken the place of the dead one');
  for (const each of members) each.client.close();
  await Promise.all(loops);
});

test('groups come back after kill -9: members go on in their generation, offsets are where they were', async () => {
  const dataDir = temporaryFolder();
  const first = await startBroker({ dataDir, settings: QUICK });
  await (await first.connect()).createTopic('t', 2);
  const fixed = { groupInstanceId: 'i', sessionTimeoutMs: 60_000 };
  const before = await member(first, fixed);
  await before.settle();
  expect(await before.commit(41, 0)).toBe(0);
  expect(await before.commit(7, 1)).toBe(0);
  await first.kill();

  const second = await startBroker({ dataDir, settings: QUICK });
  const after = await member(second, fixed);
  Object.assign(after, { memberId: before.memberId, generationId: before.generationId });
  expect(await after.heartbeat()).toBe(0);
  expect(await fetchOffsets(after.client, 'g')).toEqual({ 't-0': 41, 't-1': 7 });
  // A static member that restarts takes over from itself, without a rebalance.
  const again = await member(second, fixed);
  const joined = await again.join();
  expect(joined).toMatchObject({ errorCode: 0, generationId: before.generationId, skipAssignment: true });
  expect(await after.heartbeat()).toBe(ErrorCode.FENCED_INSTANCE_ID);
  await again.sync();
  expect(again.assignment).toBe(before.memberId);
  expect(await again.commit(42, 0)).toBe(0);
});

test('no committed offset goes back, whenever the broker is killed', async () => {
  const dataDir = temporaryFolder();
  const acknowledged = new Map<string, number>();
  const GROUPS = 8;
  let next = 1;
  for (let round = 0; round < 3; round++) {
    const broker = await startBroker({ dataDir, settings: QUICK });
    if (round === 0) await (await broker.connect()).createTopic('t', 1);
    const enough = acknowledged.size === 0 ? 200 : next + 400;
    await Promise.all(
      Array.from({ length: GROUPS }, async (_, index) => {
        const groupId = `g${index}`;
        const client = await broker.connect();
        await findGroup(client, groupId);
        const found = (await fetchOffsets(client, groupId))?.['t-0'] ?? 0;
        expect(found).toBeGreaterThanOrEqual(acknowledged.get(groupId) ?? 0);
        try {
          for (;;) {
            const offset = next++;
            if (offset === enough) broker.child.kill('SIGKILL');
            expect(await commitOffset(client, groupId, offset)).toBe(0);
            acknowledged.set(groupId, offset);
          }
        } catch (error) {
          if (!(error instanceof ConnectionLost)) throw error;
        }
      }),
    );
    await broker.whenEnded();
  }
  expect(acknowledged.size).toBe(GROUPS);
  const last = await startBroker({ dataDir, settings: QUICK });
  const client = await last.connect();
  for (const [groupId, offset] of acknowledged) {
    await findGroup(client, groupId);
    expect((await fetchOffsets(client, groupId))!['t-0']).toBeGreaterThanOrEqual(offset);
  }
});

test('offsets go with their topic, and groups when they are deleted, also over a restart', async () => {
  const dataDir = temporaryFolder();
  const first = await startBroker({ dataDir, settings: QUICK });
  const client = await first.connect();
  await client.createTopic('t');
  await client.createTopic('gone');
  await findGroup(client, 'g');
  for (const topic of ['t', 'gone']) expect(await commitOffset(client, 'g', 5, 0, topic)).toBe(0);
  expect(await commitOffset(client, 'other', 6)).toBe(0);
  expect(await client.deleteTopic('gone')).toBe(0);
  await eventually(async () => !('gone-0' in (await fetchOffsets(client, 'g'))!), 'the offsets of the topic are gone');
  expect((await client.request(deleteGroups, 2, { groupsNames: ['other'] })).results[0]!.errorCode).toBe(0);
  await client.createTopic('gone');
  await first.kill();
  const second = await startBroker({ dataDir, settings: QUICK });
  const again = await second.connect();
  await findGroup(again, 'g');
  expect([await fetchOffsets(again, 'g'), await fetchOffsets(again, 'other')]).toEqual([{ 't-0': 5 }, {}]);
});

test('the log of the groups holds what Kafka would have written', async () => {
  const broker = await startBroker({ dataDir: temporaryFolder(), settings: { ...QUICK, 'offsets.topic.num.partitions': 1 } });
  const client = await broker.connect();
  await client.createTopic('t');
  const joined = await member(broker);
  await joined.settle();
  expect(await joined.commit(3)).toBe(0);
  expect(await joined.leave()).toBe(0);
  await eventually(async () => (await client.fetch('__consumer_offsets', 0, 0)).highWatermark >= 3, 'the empty group is stored');
  const records = batchesOf((await client.fetch('__consumer_offsets', 0, 0)).records)
    .flatMap((batch) => [...readRecords(batch)])
    .map(({ key, value }) => decodeCoordinatorRecord(key, value));
  expect(records).toMatchObject([
    {
      kind: 'group',
      groupId: 'g',
      value: { generation: 1, protocol: 'range', leader: joined.memberId, members: [{ memberId: joined.memberId }] },
    },
    { kind: 'offset', groupId: 'g', topic: 't', partition: 0, value: { offset: 3n } },
    { kind: 'group', groupId: 'g', value: { generation: 2, protocol: null, leader: null, members: [] } },
  ]);
});

test('a member whose connection is gone is given up with its session', async () => {
  const settings = { ...QUICK, 'group.min.session.timeout.ms': 100 };
  const broker = await startBroker({ dataDir: temporaryFolder(), settings });
  const quick = { sessionTimeoutMs: 300 };
  const lost = await member(broker, quick);
  await lost.settle();
  lost.client.close();
  const next = await member(broker, { sessionTimeoutMs: 60_000 });
  await next.settle();
  const described = (await next.client.request(describeGroups, 6, { groups: ['g'] })).groups[0]!;
  expect(described.members.map(({ memberId }) => memberId)).toEqual([next.memberId]);
});
