/** What groups are made of when it comes from strangers: records of their log, subscriptions, and whole sequences of requests. */
import { decodeCoordinatorRecord, encodeCoordinatorRecord, type CoordinatorRecord } from '../../src/coordinator/group-records.ts';
import { subscribedTopics } from '../../src/coordinator/subscribed-topics.ts';
import { MalformedError } from '../../src/protocol/protocol-errors.ts';
import { CoordinatorHarness, subscription } from '../support/coordinator-harness.ts';
import type { FuzzTarget } from './fuzzer.ts';

const OFFSET: CoordinatorRecord = {
  kind: 'offset',
  groupId: 'g',
  topic: 't',
  partition: 1,
  value: { offset: 7n, leaderEpoch: 1, metadata: 'm', commitTimestampMs: 5, expireTimestampMs: -1 },
};

const GROUP: CoordinatorRecord = {
  kind: 'group',
  groupId: 'g',
  value: {
    protocolType: 'consumer',
    generation: 3,
    protocol: 'range',
    leader: 'a',
    stateSinceMs: 9,
    members: ['a', 'b'].map((memberId) => ({
      memberId,
      groupInstanceId: memberId,
      clientId: 'c',
      clientHost: '/h',
      rebalanceTimeoutMs: 100,
      sessionTimeoutMs: 100,
      subscription: subscription('t'),
      assignment: Uint8Array.of(1),
    })),
  },
};

function framed(record: CoordinatorRecord): Buffer {
  const { key, value } = encodeCoordinatorRecord(record);
  return Buffer.concat([Buffer.from([key.length, (value?.length ?? 255) & 0xff]), key, value ?? Buffer.alloc(0)]);
}

/** Records as they might lie in the log, byte by byte: key length, value length (255: none), key, value. A machine loads them and goes on. */
const groupLog: FuzzTarget = {
  seeds: () => [
    Buffer.concat([framed(OFFSET), framed(GROUP)]),
    framed({ ...OFFSET, value: null }),
    framed({ ...GROUP, value: null }),
    framed(GROUP),
  ],
  run: (bytes) => {
    const harness = new CoordinatorHarness({ initialRebalanceDelayMs: 0 });
    for (let at = 0; at + 2 <= bytes.length;) {
      const keyLength = bytes[at]!;
      const valueLength = bytes[at + 1] === 255 ? 0 : bytes[at + 1]!;
      const key = bytes.subarray(at + 2, at + 2 + keyLength);
      const value = bytes[at + 1] === 255 ? null : bytes.subarray(at + 2 + keyLength, at + 2 + keyLength + valueLength);
      at += 2 + keyLength + valueLength;
      try {
        const record = decodeCoordinatorRecord(key, value);
        if (record !== null) harness.log.push({ key, value });
      } catch (error) {
        if (!(error instanceof MalformedError)) throw error;
      }
    }
    harness.restart();
    harness.join({ groupId: 'g' });
    harness.advance(200);
    for (const groupId of harness.machine.groupIds()) {
      harness.machine.describe(groupId);
      harness.machine.expire(groupId, harness.now);
    }
    harness.run();
  },
};

const consumerSubscription: FuzzTarget = {
  seeds: () => [Buffer.from(subscription('a', 'bc')), Buffer.from(subscription())],
  run: (bytes) => void subscribedTopics(bytes),
};

const MEMBERS = ['', 'nobody', ...Array.from({ length: 12 }, (_, n) => `client-${n + 1}`)];
const INSTANCES = [null, 'i', 'j'];

/** Two bytes a step: what, and by whom or for how long. Nothing may throw, and what is held stays counted. */
const groupRequests: FuzzTarget = {
  seeds: () => [
    // Two members join with their ids, sync, commit, beat, leave.
    Buffer.from([0, 0, 0, 0, 0, 2, 0, 3, 7, 200, 1, 2, 1, 3, 3, 2, 2, 2, 2, 3, 4, 2, 4, 3, 7, 255]),
    Buffer.from([0, 0x10, 7, 200, 0, 0x10, 1, 2, 6, 1, 5, 0, 8, 0, 9, 0]),
  ],
  run: (bytes) => {
    const harness = new CoordinatorHarness({ initialRebalanceDelayMs: 100, sessionTimeoutMsMin: 0, groupSizeMax: 4 });
    for (let at = 0; at + 2 <= Math.min(bytes.length, 200); at += 2) {
      const pick = bytes[at + 1]!;
      const memberId = MEMBERS[(pick & 15) % MEMBERS.length]!;
      const groupInstanceId = INSTANCES[(pick >> 4) % INSTANCES.length]!;
      const generationId = harness.machine.describe('group')?.generation ?? 0;
      const member = { memberId, groupInstanceId, generationId };
      switch (bytes[at]! % 11) {
        case 0:
          harness.join({
            memberId,
            groupInstanceId,
            sessionTimeoutMs: 1000,
            rebalanceTimeoutMs: 500,
            needsKnownMemberId: (pick & 64) === 0,
          });
          break;
        case 1:
          harness.sync({ ...member, assignments: [{ memberId, assignment: Buffer.from('x') }] });
          break;
        case 2:
          harness.heartbeat(memberId, generationId, groupInstanceId);
          break;
        case 3:
          harness.commit(pick, (pick & 128) === 0 ? member : {});
          break;
        case 4:
          harness.leave({ memberId, groupInstanceId });
          break;
        case 5:
          harness.deleteGroup();
          break;
        case 6:
          harness.holdWrites = !harness.holdWrites;
          break;
        case 7:
          harness.advance(pick * 5);
          break;
        case 8:
          if (harness.held.length > 0) harness.release((pick & 1) === 0 ? 0 : 56);
          break;
        case 9:
          harness.expire();
          break;
        default:
          harness.restart();
      }
    }
    harness.holdWrites = false;
    harness.releaseAll();
    harness.advance(3000);
    harness.deleteGroup();
    if (harness.budget.bytes !== 0) throw new Error(`${harness.budget.bytes} bytes are left of nothing`);
  },
};

export const GROUP_TARGETS = { groupLog, consumerSubscription, groupRequests };
