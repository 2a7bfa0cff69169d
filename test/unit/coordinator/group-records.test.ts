import { describe, expect, it } from 'vitest';
import { groupPartition, javaHash } from '../../../src/coordinator/group-hash.ts';
import { decodeCoordinatorRecord, encodeCoordinatorRecord, type CoordinatorRecord } from '../../../src/coordinator/group-records.ts';
import { subscribedTopics } from '../../../src/coordinator/subscribed-topics.ts';
import { encodeMessage } from '../../../src/protocol/codec.ts';
import { MalformedError } from '../../../src/protocol/protocol-errors.ts';
import { consumerProtocolSubscription } from '../../../src/protocol/stored/consumer-protocol.ts';
import { ownVectors } from '../../golden/vectors.ts';
import { subscription } from '../../support/coordinator-harness.ts';

const OFFSET: CoordinatorRecord = {
  kind: 'offset',
  groupId: 'g',
  topic: 't',
  partition: 3,
  value: { offset: 258n, leaderEpoch: 7, metadata: 'm', commitTimestampMs: 1, expireTimestampMs: -1 },
};

const GROUP: CoordinatorRecord = {
  kind: 'group',
  groupId: 'g',
  value: {
    protocolType: 'consumer',
    generation: 2,
    protocol: 'range',
    leader: 'a',
    stateSinceMs: 5,
    members: [
      {
        memberId: 'a',
        groupInstanceId: null,
        clientId: 'c',
        clientHost: '/h',
        rebalanceTimeoutMs: 1,
        sessionTimeoutMs: 2,
        subscription: Uint8Array.of(1),
        assignment: Uint8Array.of(2, 3),
      },
    ],
  },
};

const hex = (bytes: Uint8Array | null): string | null => (bytes === null ? null : Buffer.from(bytes).toString('hex'));

describe('records of groups', () => {
  it('have the bytes of Kafka', () => {
    const offset = encodeCoordinatorRecord(OFFSET);
    expect([hex(offset.key), hex(offset.value)]).toEqual([
      '000100016700017400000003',
      '0003000000000000010200000007' + '00016d' + '0000000000000001',
    ]);
    const group = encodeCoordinatorRecord(GROUP);
    expect([hex(group.key), hex(group.value)]).toEqual([
      '0002000167',
      '00030008636f6e73756d657200000002000572616e6765000161000000000000000500000001' +
        '000161ffff00016300022f680000000100000002' +
        '0000000101' +
        '000000020203',
    ]);
  });

  it('an offset with a retention of its own is written in the version that can say so', () => {
    const value = { ...(OFFSET as { value: object }).value, expireTimestampMs: 99 };
    const encoded = encodeCoordinatorRecord({ ...OFFSET, value } as CoordinatorRecord);
    expect(Buffer.from(encoded.value!).readInt16BE(0)).toBe(1);
    expect(decodeCoordinatorRecord(encoded.key, encoded.value)).toMatchObject({ value: { expireTimestampMs: 99, leaderEpoch: -1 } });
  });

  it('come back as they were written, tombstones too', () => {
    for (const record of [OFFSET, GROUP, { ...OFFSET, value: null }, { ...GROUP, value: null }] as CoordinatorRecord[]) {
      const { key, value } = encodeCoordinatorRecord(record);
      expect(decodeCoordinatorRecord(key, value)).toEqual(record);
    }
  });

  it('are read in every version that Kafka has written', () => {
    const key = encodeCoordinatorRecord(OFFSET).key;
    const groupKey = encodeCoordinatorRecord(GROUP).key;
    const stored = ownVectors.filter((vector) => vector.kind === 'value' && /^(OffsetCommit|GroupMetadata)Value$/.test(vector.api));
    const versions = new Set(stored.map((vector) => `${vector.api} ${vector.version}`));
    expect(versions.size).toBe(10);
    for (const vector of stored) {
      const decoded = decodeCoordinatorRecord(vector.api === 'OffsetCommitValue' ? key : groupKey, Buffer.from(vector.hex, 'hex'));
      expect(decoded!.value).not.toBeNull();
    }
  });

  it('with keys of other kinds, or of none, are passed over; a value that is none is an error', () => {
    const keys = ['0003000167', '7fff', 'ffff', '', '00', '00010001', '000200', '0000000167'];
    for (const key of keys) expect(decodeCoordinatorRecord(Buffer.from(key, 'hex'), Buffer.from('x'))).toBeNull();
    expect(decodeCoordinatorRecord(null, null)).toBeNull();
    for (const [record, value] of [
      [OFFSET, '00'],
      [OFFSET, '0009'],
      [OFFSET, '0003'],
      [GROUP, '0003ffff'],
    ] as const)
      expect(() => decodeCoordinatorRecord(encodeCoordinatorRecord(record).key, Buffer.from(value, 'hex'))).toThrow(MalformedError);
  });
});

describe('the partition of a group', () => {
  it('is that of Java', () => {
    // String.hashCode of the Java language specification.
    expect([javaHash(''), javaHash('hello'), javaHash('polygenelubricants'), javaHash('ü')]).toEqual([0, 99162322, -2147483648, 252]);
    expect([groupPartition('hello', 50), groupPartition('polygenelubricants', 50)]).toEqual([22, 0]);
    // Kafka's, of 50 partitions.
    expect(['', 'g', 'my-group', 'consumer-group-1', 'tx-é€😀'].map((groupId) => groupPartition(groupId, 50))).toEqual([0, 3, 12, 20, 33]);
  });
});

describe('the topics of a subscription', () => {
  it('are read whatever its version', () => {
    for (let version = 0; version <= 3; version++) {
      const block = encodeMessage(consumerProtocolSubscription, version, { topics: ['a', 'ü'], userData: Buffer.from('x') });
      expect(subscribedTopics(Buffer.concat([Buffer.from([0, version]), block]))).toEqual(['a', 'ü']);
    }
    expect(subscribedTopics(subscription())).toEqual([]);
  });

  it('are unknown where the bytes are none, whatever they are', () => {
    const whole = Buffer.from(subscription('abc', 'de'));
    for (let length = 0; length < whole.length - 4; length++) expect(subscribedTopics(whole.subarray(0, length))).toBeNull();
    expect(subscribedTopics(Buffer.from('00007fffffff', 'hex'))).toBeNull();
    expect(subscribedTopics(Buffer.from('0000ffffffff', 'hex'))).toBeNull();
    expect(subscribedTopics(Buffer.from('000000000001ffff', 'hex'))).toBeNull();
  });
});
