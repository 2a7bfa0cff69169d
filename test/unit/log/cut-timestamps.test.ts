/** A log that recovery cuts: searches by time, retention and rolls go by the records that are left, as after a live truncation. */
import { describe, expect, test } from 'vitest';
import { partitionKey, type PartitionState } from '../../../src/log/partition-state.ts';
import { recover } from '../../../src/log/recovery.ts';
import { segmentPath } from '../../../src/log/layout.ts';
import { DATA, ShardBench, START_MS } from '../../support/shard-bench.ts';

const LATER_MS = START_MS + 3_600_000;

function recovered({ disk }: ShardBench): PartitionState {
  disk.killProcess();
  return recover(disk, DATA, () => 'known').partitions.get(partitionKey('topic-1', 0)) as PartitionState;
}

/** The last bytes of a batch are not what they were; nobody vouches for it. */
function tear({ disk }: ShardBench, endPosition: number): void {
  disk.corrupt(segmentPath(DATA, 'topic-1', 0, 0), endPosition - 1);
}

describe('a torn tail takes its largest timestamp along', () => {
  test('down to that of the batches before', () => {
    const bench = new ShardBench('buffered');
    const { state } = bench.open(1);
    bench.append(1, 500, START_MS + 5);
    bench.append(1, 500, START_MS + 3);
    const [kept] = structuredClone(state.segments);
    bench.append(1, 500, LATER_MS);
    tear(bench, state.segments[0]!.endPosition);
    bench.append(1, 500, LATER_MS + 1);
    expect(recovered(bench)).toMatchObject({ endOffset: 2, segments: [{ ...kept, maxTimestamp: START_MS + 5 }] });
  });

  test('down to what the checkpoint had', () => {
    const bench = new ShardBench('buffered');
    const { state } = bench.open(1);
    bench.append(1, 500, START_MS + 5);
    bench.checkpoint();
    bench.append(1, 500, LATER_MS);
    tear(bench, state.segments[0]!.endPosition);
    expect(recovered(bench)).toMatchObject({ endOffset: 1, segments: [{ endOffset: 1, maxTimestamp: START_MS + 5 }] });
  });

  test('down to none', () => {
    const bench = new ShardBench('buffered');
    const { state } = bench.open(1);
    bench.append(1, 500, LATER_MS);
    tear(bench, state.segments[0]!.endPosition);
    expect(recovered(bench)).toMatchObject({ endOffset: 0, segments: [{ endPosition: 0, maxTimestamp: -1 }] });
  });

  test('but not the latest log-append time: that goes back neither here nor in a live truncation', () => {
    const bench = new ShardBench('buffered');
    const { state } = bench.open(1, { timestampType: 'LogAppendTime' });
    bench.append(1, 500);
    bench.nowMs = LATER_MS;
    bench.append(1, 500);
    tear(bench, state.segments[0]!.endPosition);
    expect(recovered(bench)).toMatchObject({ endOffset: 1, lastAppendTime: LATER_MS, segments: [{ maxTimestamp: START_MS }] });
  });
});

describe('a truncation that is replayed leaves the largest timestamp that it left when it happened', () => {
  const truncated = (withCheckpoint: boolean): ShardBench => {
    const bench = new ShardBench('buffered');
    bench.open(1, { timestampType: 'CreateTime' });
    bench.append(1, 500, START_MS + 5);
    bench.append(1, 500, START_MS + 3);
    bench.append(1, 500, LATER_MS);
    if (withCheckpoint) bench.checkpoint();
    bench.tell({ kind: 'truncate', handle: 1, endOffset: 2 });
    bench.work();
    return bench;
  };

  test.for([
    ['above the checkpoint', false],
    ['in what the checkpoint has', true],
  ] as const)('%s', ([, withCheckpoint]) => {
    const bench = truncated(withCheckpoint);
    const live = structuredClone(bench.shard.partitions[1]!.state.segments);
    expect(live).toMatchObject([{ endOffset: 2, maxTimestamp: START_MS + 5 }]);
    expect(recovered(bench).segments).toEqual(live);
  });

  test('and what is appended behind it counts again', () => {
    const bench = truncated(true);
    bench.append(1, 500, START_MS + 7);
    expect(recovered(bench)).toMatchObject({ endOffset: 3, segments: [{ endOffset: 3, maxTimestamp: START_MS + 7 }] });
  });
});
