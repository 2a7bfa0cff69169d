import { describe, expect, it } from 'vitest';
import type { Write } from '../../../src/coordinator/effects.ts';
import { decodeCoordinatorRecord, type CoordinatorRecord, type OffsetRecord } from '../../../src/coordinator/group-records.ts';
import { GroupWriter } from '../../../src/main/group-writer.ts';
import { ErrorCode } from '../../../src/protocol/errors.ts';
import { FakeGroupLog } from '../../support/fake-group-log.ts';

const record = (partition: number, metadataBytes = 0): OffsetRecord => ({
  kind: 'offset',
  groupId: 'g',
  topic: 't',
  partition,
  value: { offset: 1n, leaderEpoch: -1, metadata: 'm'.repeat(metadataBytes), commitTimestampMs: 0, expireTimestampMs: -1 },
});

class Bench {
  readonly log = new FakeGroupLog();
  /** What was told, in order. */
  readonly told: string[] = [];
  readonly writer = new GroupWriter(0, this.log, {
    onSecured: (secured: CoordinatorRecord) => void this.told.push(`r${(secured as OffsetRecord).partition}`),
    onSettled: (write: Write, errorCode: number) => write.settle(errorCode, { ms: 0, date: 0 }),
    onBatchEnd: () => void this.told.push('|'),
  });

  constructor() {
    this.log.holdAppends = true;
  }

  add(name: string, ...records: CoordinatorRecord[]): void {
    this.writer.add({ partition: 0, records, settle: (errorCode) => void this.told.push(`${name}:${errorCode}`) });
  }
}

describe('writes of a partition of groups', () => {
  it('that wait go as one batch, in order, and are settled in order behind their records', () => {
    const bench = new Bench();
    bench.add('a', record(1));
    bench.add('b', record(2), record(3));
    bench.writer.flush();
    expect(bench.log.batches).toEqual([3]);
    bench.log.secure();
    expect(bench.told).toEqual(['r1', 'a:0', 'r2', 'r3', 'b:0', '|']);
    const stored = bench.log.stored[0]!.map(({ key, value }) => (decodeCoordinatorRecord(key, value) as OffsetRecord).partition);
    expect(stored).toEqual([1, 2, 3]);
    expect(bench.writer.waitingRecords).toBe(0);
  });

  it('that come while a batch is on its way make up the next, which follows by itself', () => {
    const bench = new Bench();
    bench.add('a', record(1));
    bench.writer.flush();
    for (let n = 2; n < 10; n++) {
      bench.add(`w${n}`, record(n));
      bench.writer.flush();
    }
    expect(bench.log.batches).toEqual([1]);
    bench.log.secure();
    expect(bench.log.batches).toEqual([1, 8]);
    expect(bench.writer.waitingRecords).toBe(8);
    bench.log.secure();
    expect(bench.told.at(-2)).toBe('w9:0');
  });

  it('fail with a record of their own, not with one that they only came behind', () => {
    const bench = new Bench();
    const assignment = new Uint8Array(300_000);
    const member = { memberId: 'm', groupInstanceId: null, clientId: '', clientHost: '', rebalanceTimeoutMs: 1, sessionTimeoutMs: 1 };
    const huge: CoordinatorRecord = {
      kind: 'group',
      groupId: 'g',
      value: {
        ...{ protocolType: 'p', generation: 1, protocol: 'x', leader: 'm', stateSinceMs: 0 },
        members: [{ ...member, subscription: new Uint8Array(0), assignment }],
      },
    };
    bench.add('huge', huge);
    bench.add('behind', record(2));
    bench.writer.flush();
    expect(bench.log.batches).toEqual([1]);
    bench.log.secure(ErrorCode.UNKNOWN_SERVER_ERROR);
    expect(bench.told).toEqual([`huge:${ErrorCode.UNKNOWN_SERVER_ERROR}`, '|']);
    bench.log.secure();
    expect(bench.told.slice(2)).toEqual(['r2', 'behind:0', '|']);
    expect(bench.writer.waitingRecords).toBe(0);
  });

  it('that are larger than a batch go in several, and are settled with the last', () => {
    const bench = new Bench();
    bench.add('small', record(0));
    bench.add('large', ...Array.from({ length: 300 }, (_, n) => record(n + 1, 4000)));
    bench.add('behind', record(999));
    bench.writer.flush();
    let batches = 0;
    while (bench.log.appends.length > 0) {
      bench.log.secure();
      batches++;
    }
    expect(batches).toBeGreaterThan(3);
    const settled = bench.told.filter((told) => told.includes(':'));
    expect(settled).toEqual(['small:0', 'large:0', 'behind:0']);
    expect(bench.told.filter((told) => told.startsWith('r'))).toEqual([
      'r0',
      ...Array.from({ length: 300 }, (_, n) => `r${n + 1}`),
      'r999',
    ]);
    expect(bench.writer.waitingRecords).toBe(0);
  });

  it('that fail are told, all that have a record in the batch, and put nothing more into the log; others go on', () => {
    const bench = new Bench();
    bench.add('first', record(0));
    bench.add('large', ...Array.from({ length: 300 }, (_, n) => record(n + 1, 4000)));
    bench.add('behind', record(999));
    bench.writer.flush();
    bench.log.secure();
    bench.log.secure(ErrorCode.KAFKA_STORAGE_ERROR);
    expect(bench.told.filter((told) => told.includes(':'))).toEqual(['first:0', `large:${ErrorCode.KAFKA_STORAGE_ERROR}`]);
    expect(bench.log.appends).toHaveLength(1);
    bench.log.secure();
    expect(bench.told.at(-2)).toBe('behind:0');
    expect(bench.log.appends).toHaveLength(0);
    expect(bench.writer.waitingRecords).toBe(0);
  });

  it('with one record that is larger than a batch have a batch of their own', () => {
    const bench = new Bench();
    bench.add('a', record(1));
    bench.add('huge', { ...record(2), topic: 't'.repeat(30_000), value: { ...record(2, 30_000).value! } });
    bench.writer.flush();
    while (bench.log.appends.length > 0) bench.log.secure();
    expect(bench.told.filter((told) => told.includes(':'))).toEqual(['a:0', 'huge:0']);
  });
});
